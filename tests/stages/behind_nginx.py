"""The real nginx in front of a server, with the configuration that `matchstream nginx` prints."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from typer.testing import CliRunner

from common.addresses import join
from common.tuning.children import command_that_dies_with_parent
from stages import nginx
from stages.cli import app
from tests.stages.front import HOST, Front, free_ports, serves
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stages.serving import ServerProcess

NGINX: Final = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")  # where an ordinary user does not look
needs_nginx = pytest.mark.skipif(
    NGINX is None or not Path(nginx.STREAM_MODULE).exists(),
    reason="needs nginx with its stream module: apt-get install nginx libnginx-mod-stream",
)


def printed(*options: str) -> str:
    """Return what `matchstream nginx` prints."""
    ended = CliRunner().invoke(app, ["nginx", *options])
    assert (ended.exit_code, ended.stderr) == (0, "")
    return ended.stdout


def words(*arguments: str | Path) -> list[str]:
    """Return the command line that runs nginx, and ends it with the tests at the latest."""
    assert NGINX is not None
    return command_that_dies_with_parent([NGINX, *map(str, arguments)], signal.SIGTERM)


@asynccontextmanager
async def in_front_of(directory: Path, *options: str) -> AsyncIterator[Front]:
    """Run nginx on free ports until the end, which it must come to in order and without a complaint in its log."""
    with free_ports(2) as (fans, http):
        listen = ("--listen-fans", str(fans), "--listen-http", str(http), "--directory", str(directory))
        file = directory / "nginx.conf"
        file.write_text(printed(*options, *listen))
        process = await asyncio.create_subprocess_exec(*words("-c", file, "-p", directory, "-g", "daemon off;"))
        try:
            await eventually(lambda: serves(process, fans) and serves(process, http), "nginx serves")
            yield Front((HOST, fans), f"http://{HOST}:{http}", process.pid)
        finally:
            process.terminate()
            async with asyncio.timeout(DEADLINE_S):
                assert await process.wait() == 0
    said = log(directory)
    assert not any(level in said for level in ("[crit]", "[alert]", "[emerg]")), said


def log(directory: Path) -> str:
    return (directory / "nginx-error.log").read_text()


def behind(server: ServerProcess) -> list[str]:
    """Return the options that name all ports of a server, as its `ready` line does."""
    options = []
    named = (("--fans", server.fan_ports), ("--http", server.http_ports), ("--browsers", server.browser_ports))
    for name, ports in named:
        if ports:
            options += [name, f"{join(server.host, ports[0])}-{ports[-1]}"]
    return options
