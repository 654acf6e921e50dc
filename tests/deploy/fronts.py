"""The real nginx and the real HAProxy in front of a server, as `deploy/` has them, at ports of a test's own."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from common.tuning.children import command_that_dies_with_parent
from tests.deploy.shipped import DEPLOY, changed
from tests.stages.behind_nginx import in_front_of, words
from tests.stages.front import HOST, free_ports, serves
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from tests.deploy.certificates import Certificate

HAPROXY: Final = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")  # where an ordinary user does not look
needs_haproxy: Final = pytest.mark.skipif(HAPROXY is None, reason="needs haproxy: apt-get install haproxy")

_IN_ORDER: Final = {0, 128 + signal.SIGTERM}
"""How a master ends that is told to: with its worker's status, if that ends first (SuccessExitStatus of its unit)."""
_ANSWER_S: Final = 2.0
_ROOTS: Final = re.compile(r"^    (?:log|chroot|user|group|stats) .*\n", re.MULTILINE)
"""What takes root, or the directories of a machine that HAProxy is installed on."""


@dataclass(frozen=True, slots=True)
class TlsFront:
    """A proxy that serves by TLS and without."""

    fans: tuple[str, int]
    plain_fans: tuple[str, int]
    url: str
    plain_url: str
    reload: Callable[[], Awaitable[None]]
    """Does what a renewed certificate asks for."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Where the server is: `HOST:PORT` each, of a fan's port and of the API's port that says whether it serves."""

    fans: Sequence[tuple[str, str]]
    http: Sequence[str]
    browsers: Sequence[tuple[str, str]] = ()
    """As `fans`."""


@asynccontextmanager
async def behind_nginx(directory: Path, certificate: Certificate, server: Behind) -> AsyncIterator[TlsFront]:
    """Run nginx with what `matchstream nginx` prints and the files of `deploy/nginx` beside it."""
    with free_ports(2) as (fans, http):
        paths = {
            "/etc/matchstream/tls/fullchain.pem": certificate.chain,
            "/etc/matchstream/tls/privkey.pem": certificate.key,
        }
        changes = {old: str(new) for old, new in paths.items()} | {" ipv6only=off": ""}
        _copy(directory, "fans.d/tls.conf", changes | {"[::]:9443": f"{HOST}:{fans}"})
        _copy(
            directory,
            "api.d/tls.conf",
            changes | {"[::]:443": f"{HOST}:{http}", "$fans_port 9443": f"$fans_port {fans}"},
        )
        _copy(directory, "api.d/figures.conf", {})
        names = [option for at, _ in server.fans for option in ("--fans", at)]
        names += [option for at in server.http for option in ("--http", at)]
        names += [option for at, _ in server.browsers for option in ("--browsers", at)]

        async def reload() -> None:
            asks = await asyncio.create_subprocess_exec(*words("-s", "reload", "-c", directory / "nginx.conf"))
            assert await asks.wait() == 0

        async with in_front_of(directory, *names) as plain:
            yield TlsFront((HOST, fans), plain.fans, f"https://{HOST}:{http}", plain.url, reload)


def _copy(directory: Path, name: str, changes: dict[str, str]) -> None:
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).write_text(changed((DEPLOY / "nginx" / name).read_text(), changes))


@asynccontextmanager
async def behind_haproxy(directory: Path, certificate: Certificate, server: Behind) -> AsyncIterator[TlsFront]:
    """Run HAProxy with `deploy/haproxy.cfg`, as its unit does: a master, which starts workers."""
    with free_ports(5) as (fans, plain_fans, http, plain_http, master):
        binds = {
            "bind :::9443 v4v6": f"bind {HOST}:{fans}",
            "bind 127.0.0.1:9990": f"bind {HOST}:{plain_fans}",
            "bind :::443 v4v6": f"bind {HOST}:{http}",
            "bind 127.0.0.1:8880": f"bind {HOST}:{plain_http}",
            '{"port":9443}': f'{{"port":{fans}}}',
            '{"port":9990}': f'{{"port":{plain_fans}}}',
            "/etc/haproxy/matchstream.pem": str(certificate.both),
        }
        text = _ROOTS.sub("", changed((DEPLOY / "haproxy.cfg").read_text(), binds))
        file = directory / "haproxy.cfg"
        file.write_text(_with_servers(text, server))
        assert HAPROXY is not None
        command = command_that_dies_with_parent(
            [HAPROXY, "-W", "-S", f"{HOST}:{master}", "-f", str(file)], signal.SIGTERM
        )
        said = directory / "haproxy.log"
        with said.open("w") as log:
            process = await asyncio.create_subprocess_exec(*command, stderr=log)

        async def reload() -> None:
            process.send_signal(signal.SIGUSR2)  # as ExecReload of its unit

        try:
            await eventually(lambda: serves(process, fans), "HAProxy serves")
            await eventually(lambda: _answers(master), "HAProxy's master answers")
            yield TlsFront(
                (HOST, fans), (HOST, plain_fans), f"https://{HOST}:{http}", f"http://{HOST}:{plain_http}", reload
            )
        finally:
            process.terminate()
            async with asyncio.timeout(DEADLINE_S):
                assert await process.wait() in _IN_ORDER, f"{process.returncode}: {said.read_text()}"


async def _answers(master: int) -> bool:
    """Whether a master answers. Then it follows signals: it starts its worker, and itself once more, before it does."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(HOST, master)
            try:
                writer.write(b"show proc\n")
                return bool(await reader.read(1))
            finally:
                writer.close()
    except (ConnectionError, TimeoutError):  # it was asked just when it started itself again
        return False


def _with_servers(text: str, server: Behind) -> str:
    """Return the configuration with this server's ports in place of those of four nodes."""
    fans, browsers = (
        "".join(f"    server at-{n} {at} port {api.rpartition(':')[2]}\n" for n, (at, api) in enumerate(places))
        for places in (server.fans, server.browsers)
    )
    http = "".join(f"    server api-{n} {at}\n" for n, at in enumerate(server.http))
    for name, lines in (("fans", fans), ("browsers", browsers), ("api", http)):
        of_it = re.compile(rf"(\nbackend {name}\n(?:(?!    server |\S).*\n)*)(?:    server .*\n)+")
        text, found = of_it.subn(rf"\g<1>{lines}", text)
        assert found == 1, name
    return text
