"""Fans from three hosts that are network namespaces, and a server and a scheduler on a fourth."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from common.tuning.children import python_module
from tests.harness.fake import wait_until
from tests.harness.results import load_result
from tests.harness.trial.cluster.dask_cluster import DaskCluster
from tests.stages.stage3.hosts import Network, NoHostsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.trial import TrialResult
    from tests.stages.stage3.hosts import Host

pytestmark = pytest.mark.slow

PORT, HTTP_PORT = 9999, 8080  # of a host that nobody else is on
TOKEN = "a-token-for-tests"  # noqa: S105 -- of a server that lives for one test
ENVIRON = {**os.environ, "MATCHSTREAM_TOKEN": TOKEN, "COLUMNS": "200"}
LOAD = ("-N", "60", "-C", "12", "--interval", "0.05", "--slo", "failures=0,lost=0")


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        with Network(4) as network:
            yield network
    except NoHostsError as error:
        pytest.skip(f"needs root, ip and network namespaces: {error}")


@pytest.fixture
def cluster(network: Network, tmp_path: Path) -> Iterator[DaskCluster]:
    first, *others = network.hosts
    with DaskCluster(tmp_path, first.address, first.prefix, [host.prefix for host in others]) as cluster:
        yield cluster


@contextmanager
def served(host: Host) -> Iterator[str]:
    """Serve stage 2.5 on a host inside, and give the words that name it as a target."""
    at = ("--host", host.address, "--port", str(PORT), "--http-port", str(HTTP_PORT))
    command = [*host.prefix, *python_module("stages", "serve", "--stage", "2.5", *at)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRON) as process:
        try:
            assert process.stdout is not None
            assert str(PORT) in process.stdout.readline()
            yield f"{host.address}:{PORT}"
        finally:
            process.terminate()


def measuring(host: Host, target: str, out: Path, *words: str) -> list[str]:
    there = ("--target", target, "--http", f"http://{host.address}:{HTTP_PORT}", "--out", str(out))
    return [*host.prefix, *python_module("harness", "measure", *LOAD, *there, *words)]


def result_in(directory: Path) -> TrialResult:
    (stored,) = directory.glob("*.json")
    return load_result(stored)


def test_three_hosts_play_one_load(network: Network, cluster: DaskCluster, tmp_path: Path) -> None:
    first, out = network.hosts[0], tmp_path / "out"
    with served(first) as target:
        command = measuring(first, target, out, "--events", "5", "--rate", "20", "--cluster", cluster.url)
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, check=False)
    assert done.stderr == ""
    result = result_in(out)
    assert (result.seen.fans.served, result.verdict.met) == (60, True)
    addresses = {host.address.partition("://")[2].partition(":")[0] for host in result.generator.hosts}
    assert addresses == {host.address for host in network.hosts[1:]}


def test_a_host_that_is_cut_off_is_lost_and_the_result_says_so(
    network: Network, cluster: DaskCluster, tmp_path: Path
) -> None:
    first, out = network.hosts[0], tmp_path / "out"
    with served(first) as target:
        command = measuring(first, target, out, "--events", "5", "--rate", "20", "--hold", "30s")
        with subprocess.Popen(
            [*command, "--cluster", cluster.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRON
        ) as process:
            wait_until(lambda: len(first.connections(PORT)) == 60)
            network.cut(network.hosts[3])
            said, wrong = process.communicate()
    assert (process.returncode, wrong) == (3, "")
    result = result_in(out)
    (lost,) = (host for host in result.generator.hosts if host.lost is not None)
    assert lost.address.startswith(f"tcp://{network.hosts[3].address}:")
    assert (result.seen.fans.served, result.seen.fans.untold) == (40, lost.fans)
    assert f"the host at {lost.address} was lost" in said


def test_hosts_that_do_not_reach_the_server_say_so(network: Network, cluster: DaskCluster, tmp_path: Path) -> None:
    first = network.hosts[0]
    with served(first):
        words = ("--stage", "0", "--out", str(tmp_path / "out"), "--cluster", cluster.url)
        command = [*first.prefix, *python_module("harness", "measure", *LOAD, *words)]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, check=False)
    assert done.returncode == 2
    assert "cannot connect to 127.0.0.1:" in done.stderr
    assert done.stderr.count("\n") == 1
