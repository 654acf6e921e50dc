"""The image of the server: it is small, an ordinary user's, and serves from a root that is read-only."""

from __future__ import annotations

import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from harness.trial.placement.namespaces import joined_namespaces
from tests.deploy.image import built
from tests.harness.trial.placement.root import needs_namespaces
from tests.needs import needs
from tests.redis_server import RedisServer
from tests.stages.fan import Fan
from tests.stages.serving import TOKEN
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deploy.image import Image

MOST_BYTES: Final = 200_000_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # Debian is installed twice, and the server once
    needs("buildah", "buildah"),
    needs("mmdebstrap", "mmdebstrap"),
    needs_namespaces,
]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built() as image:
        yield image


def test_it_is_small_and_has_no_more_than_the_server(image: Image) -> None:
    assert image.bytes < MOST_BYTES
    programs = {file.name for file in (image.root / "opt/matchstream/bin").iterdir()}
    assert "matchstream" in programs
    assert not programs & {"pip", "harness"}


def test_nothing_in_it_can_be_written(image: Image) -> None:
    for place in ("/", "/opt/matchstream", "/tmp", "/home"):  # noqa: S108  # that of the image
        done = subprocess.run(image.command(["touch", f"{place}/file"]), capture_output=True, text=True, check=False)
        assert "Read-only file system" in done.stderr


async def test_it_serves_as_an_ordinary_user_and_is_well_then(image: Image) -> None:
    """In a network of its own, as a container has: the ports are those that it names."""
    is_well = image.command(image.config["Healthcheck"]["Test"][1:])
    serve = [*image.config["Entrypoint"], *image.config["Cmd"]]
    with joined_namespaces() as pair, pair.server.entered():
        async with RedisServer(tcp=True) as redis:
            variables = {"MATCHSTREAM_TOKEN": TOKEN, "MATCHSTREAM_REDIS": redis.url, "MATCHSTREAM_WORKERS": "1"}
            assert subprocess.run(is_well, capture_output=True, check=False).returncode == 1  # noqa: ASYNC221
            server = subprocess.Popen(  # noqa: ASYNC220
                image.command(serve, **variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            try:
                assert server.stdout is not None
                ready = server.stdout.readline()
                assert ready == "ready fans=0.0.0.0:9999-10002 http=0.0.0.0:8888-8891 browsers=0.0.0.0:7777\n"
                assert subprocess.run(is_well, check=False).returncode == 0  # noqa: ASYNC221
                process = psutil.Process(server.pid)
                everybody = [process, *process.children(recursive=True)]
                assert {uid for one in everybody for uid in one.uids()} == {image.uid} != {0}
                socket.create_connection(("127.0.0.1", 7777), DEADLINE_S).close()
                async with Fan(("127.0.0.1", 9999)) as fan:
                    await fan.welcome()
            finally:
                server.send_signal(signal.SIGTERM)
                _, said = server.communicate(timeout=DEADLINE_S)
    assert server.returncode == 0
    of_the_machine = "kernel settings are short of server"
    assert [line for line in said.splitlines() if " INFO " not in line and of_the_machine not in line] == []
