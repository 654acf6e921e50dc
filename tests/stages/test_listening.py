"""Where a server is to be found: at the addresses that `--host` stands for, with a token file of its own."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

import pytest

from common.http.client import ReporterClient
from common.http.token import client_token
from tests.loopback import OWN_ADDRESS
from tests.stages.every_stage import with_nodes
from tests.stages.fan import Fan
from tests.stages.serving import ServerProcess, environment, run

if TYPE_CHECKING:
    from pathlib import Path

ANOTHER_ADDRESS: Final = str(IPv4Address(OWN_ADDRESS) + (1 << 22))
"""Another that is this process's alone: process ids have 22 bits."""


@pytest.mark.parametrize(("stage", "options"), with_nodes(2))
async def test_all_addresses_are_of_ipv4_and_ipv6_for_fans_and_api_alike(
    stage: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    environ = environment(tmp_path)
    with ServerProcess(stage, tmp_path, *options, "--host", "::", environ=environ) as server:
        assert server.host == "[::]"
        for host in ("127.0.0.1", "::1"):
            for port in (server.fan_ports[0], server.fan_ports[-1]):
                async with Fan((host, port)) as fan:
                    await fan.welcome()
        for host in ("127.0.0.1", "localhost", "[::1]", "[::]"):
            for port in (server.http_ports[0], server.http_ports[-1]):
                async with ReporterClient(f"http://{host}:{port}") as api:
                    assert await api.checkin() in server.fan_ports
        play = ("play", "elp-tig-2011-09-10", "--speed", "100000", "--replace")
        for host in ("127.0.0.1", "[::]"):
            played = await asyncio.to_thread(run, environ, *play, "--url", f"http://{host}:{server.http_ports[0]}")
            assert (played.status, played.stderr) == (0, "")


def test_servers_at_different_addresses_share_a_port_and_not_a_token(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    directories = [tmp_path / name for name in ("first", "second")]
    for directory in directories:
        directory.mkdir()
    with ExitStack() as stack:
        first = stack.enter_context(ServerProcess("0", directories[0], "--host", OWN_ADDRESS, environ=environ))
        port = first.http_ports[0]
        with ServerProcess(
            "0", directories[1], "--host", ANOTHER_ADDRESS, "--http-port", str(port), environ=environ
        ) as second:
            assert second.http_ports == first.http_ports
            tokens = [client_token(environ, host, port) for host in (OWN_ADDRESS, ANOTHER_ADDRESS)]
            assert len(set(tokens)) == 2
        play = ("play", "elp-tig-2011-09-10", "--speed", "100000", "--url", first.url)
        assert run(environ, *play).status == 0  # the second, when it ended, left the first's token
    assert list(tmp_path.rglob("token-*")) == []
