"""`deploy/RUNBOOK.md`: its commands are taken, what it watches is told, and its rolling restart is done for real."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from stages.traffic import Drop
from tests.deploy.monitoring import told_by
from tests.deploy.shipped import DEPLOY, changed, environment_file
from tests.deploy.test_haproxy_file import servers
from tests.needs import needs
from tests.printed_commands import assert_is_taken, blocks, words_of
from tests.stages.fan import Fan
from tests.stages.serving import ServerProcess, environment
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE: Final = DEPLOY / "RUNBOOK.md"
TEXT: Final = PAGE.read_text()
BIN: Final = "/opt/matchstream/.venv/bin/"
STAGE: Final = environment_file((DEPLOY / "matchstream.env").read_text())["MATCHSTREAM_STAGE"]
OURS: Final = [
    line.removeprefix(BIN)
    for line in [*(line for block in blocks(PAGE) for line in block), *re.findall(r"`([^`]+)`", TEXT)]
    if line.startswith(BIN)
]
PORTS: Final = re.search(r"for port in ([\d ]+);", TEXT)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(STAGE, tmp_path_factory.mktemp("server"), "--nodes", "2") as server:
        yield server


@pytest.fixture(scope="module")
def with_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess("4", tmp_path_factory.mktemp("workers"), "--workers", "1") as server:
        yield server


@pytest.mark.parametrize("line", OURS)
def test_a_command_is_taken_as_it_is_printed(line: str) -> None:
    assert_is_taken(words_of(line))


@pytest.mark.parametrize("block", list(blocks(PAGE)), ids=lambda block: block[0])
def test_a_shell_reads_the_commands(block: list[str]) -> None:
    subprocess.run(["sh", "-n"], input="\n".join(block), text=True, check=True)


def test_what_it_leads_to_is_there() -> None:
    found = re.findall(r"\]\(([\w./]+)\)", TEXT)
    assert found
    for name in [*found, *re.findall(r"/opt/matchstream/deploy/([\w.]+)", TEXT)]:
        assert (DEPLOY / name).exists(), name


def test_its_nodes_are_those_of_the_proxy() -> None:
    assert PORTS is not None
    assert [f"127.0.0.1:{port}" for port in PORTS[1].split()] == [words[0] for words in servers("api")]
    assert f"(ports {', '.join(PORTS[1].split())})" in TEXT
    browsers = [words[0] for words in servers("browsers")]
    assert f"--browsers {browsers[0]}-{browsers[-1].rpartition(':')[2]} " in TEXT


async def test_what_is_to_be_watched_is_told(server: ServerProcess, with_workers: ServerProcess) -> None:
    left = set(re.findall(r"`((?:matchstream|process)_\w+)`", TEXT))
    assert len(left) > 10

    async def are_told() -> bool:
        """Look again: how late the event loop is, is measured only while somebody looks."""
        for one in (server, with_workers):
            left.difference_update(await told_by(one))
        return not left

    await eventually(are_told, "all metrics that the page names are told")


def test_every_reason_for_which_a_fan_is_lost_has_its_line() -> None:
    assert [reason for reason in Drop if f"`{reason}`" not in TEXT] == []


@pytest.mark.slow
@needs("curl", "curl")
@needs("pgrep", "procps")
async def test_a_rolling_restart_restarts_each_node_once(server: ServerProcess, tmp_path: Path) -> None:
    """The loop as it is printed, with the ports of two nodes, and a `systemctl` that knows this server."""
    assert PORTS is not None
    (block,) = (block for block in blocks(PAGE) if PORTS[0] in "\n".join(block))
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\necho {server.pid}\n")
    (tmp_path / "systemctl").chmod(0o755)
    nodes = server.http_ports[:: len(server.http_ports) // 2]
    script = changed("\n".join(block), {PORTS[1]: " ".join(map(str, nodes))})
    environ = environment(tmp_path)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    before = children(server)
    async with Fan((server.host, server.fan_ports[0])) as fan:
        await fan.welcome()
        subprocess.run(["sh", "-e", "-c", script], env=environ, check=True, timeout=DEADLINE_S)  # noqa: ASYNC221
        await fan.read_to_end()
    assert len(fan.goodbyes) == 1
    assert len(before) == len(children(server)) == len(nodes)
    assert not before & children(server)
    assert server.log().count("ended with status 0; starting it again") == len(nodes)


def children(server: ServerProcess) -> set[int]:
    """Return the process ids of the nodes."""
    return {child.pid for child in psutil.Process(server.pid).children() if "--http-port" in child.cmdline()}
