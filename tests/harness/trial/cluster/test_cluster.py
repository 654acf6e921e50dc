"""Fans from a Dask cluster with two workers on this machine: its real programs, and our command line."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from common.tuning.children import python_module
from harness.load.conduct import ONLY_WATCH
from harness.load.samples import Outcome
from harness.load.workload import Load
from harness.trial.cluster.generator import ClusterGenerator
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, KnownServer, holds
from tests.harness.results import load_result
from tests.harness.targets.dropping_server import Drop, DroppingServer
from tests.harness.trial.cluster.dask_cluster import DaskCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.trial import TrialResult

LOAD = ("--stage", "0", "--with", "backlog", "-N", "41", "-C", "10", "--interval", "0.05")
"""Ten at once are more than an accept queue of five takes on a busy machine."""
NOBODY = "tcp://127.0.0.1:1"
DROPPING = """
address = "tcp://127.0.0.1:{port}"
hello = 'SUB\\n'
closes_fans = true
[publish]
url = "http://127.0.0.1:{http}/"
body = "news #{{mark}}"
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(python_module("harness", *words), capture_output=True, text=True, env=environ, check=False)


def result_in(directory: Path) -> TrialResult:
    (stored,) = directory.glob("*.json")
    return load_result(stored)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("dask"), "127.0.0.1", (), [(), ()]) as cluster:
        yield cluster


def test_check_tells_what_each_host_can_do(cluster: DaskCluster) -> None:
    done = run("cluster", "check", cluster.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"tcp://127\.0\.0\.1:\d+ .*±", done.stdout)) == 2
    assert "2 hosts with" in done.stdout


def test_fans_of_all_hosts_are_measured_as_those_of_one_machine(cluster: DaskCluster, tmp_path: Path) -> None:
    words = ("--events", "4", "--rate", "10", "--slo", "failures=0,lost=0", "--out", str(tmp_path))
    done = run("measure", *LOAD, *words, "--cluster", cluster.url)
    assert done.stderr == ""
    assert "41 of 41 served" in done.stdout
    assert f"the Dask cluster at {cluster.url}" in done.stdout
    result = result_in(tmp_path)
    assert result.verdict.met
    assert result.seen.delivery is not None
    assert (result.seen.delivery.expected, result.seen.delivery.duplicated) == (41 * 5, 0)
    assert [host.fans for host in result.generator.hosts] == [21, 20]
    assert result.generator.processes == 2
    assert result.generator.clocks_apart_s > 0
    assert result.asked.placement.cluster == cluster.url


def test_newcomers_and_leavers_are_dealt_too(cluster: DaskCluster, tmp_path: Path) -> None:
    words = ("--events", "10", "--rate", "10", "--churn", "50%/s", "--slo", "failures=0,lost=0", "--out", str(tmp_path))
    done = run("measure", *LOAD, *words, "--cluster", cluster.url)
    assert done.stderr == ""
    result = result_in(tmp_path)
    assert result.verdict.met
    assert result.seen.fans.left == result.seen.fans.asked - 41 > 0


def test_what_the_fans_of_all_hosts_lost_is_put_together(cluster: DaskCluster, tmp_path: Path) -> None:
    file = tmp_path / "dropping.toml"
    with DroppingServer(Drop.CLOSE, after=2, until=4, last=7) as server:
        file.write_text(DROPPING.format(port=server.port, http=server.http))
        words = ("-N", "11", "-C", "11", "--events", "6", "--rate", "10", "--reconnect", "20ms..100ms")
        done = run("measure", str(file), *words, "--out", str(tmp_path / "out"), "--cluster", cluster.url)
    assert done.returncode in {0, 3}  # others may have the machine for a while
    assert done.stderr == ""
    assert "who is cut off connects again, after up to 20.0 ms at first, and up to 100 ms later" in done.stdout
    result = result_in(tmp_path / "out")
    seen, delivery = result.seen.reconnects, result.seen.delivery
    assert seen is not None
    assert (seen.lost, seen.served, seen.not_back, sum(seen.failures.values())) == (11, 11, 0, server.turned_away)
    assert seen.tried == seen.served + server.turned_away
    assert delivery is not None
    assert delivery.lost == 0
    assert delivery.received + seen.missed + seen.recovered == 11 * 7


def test_fewer_fans_than_hosts(cluster: DaskCluster, tmp_path: Path) -> None:
    words = ("--stage", "0", "-N", "1", "-C", "1", "--events", "1", "--out", str(tmp_path), "--cluster", cluster.url)
    done = run("measure", *words)
    assert "1 of 1 served" in done.stdout
    assert [host.fans for host in result_in(tmp_path).generator.hosts] == [1]


def test_a_host_that_is_lost_is_told_of_and_the_others_go_on(tmp_path: Path) -> None:
    with (
        DaskCluster(tmp_path, "127.0.0.1", (), [(), ()]) as cluster,
        KnownServer(holds) as server,
        ClusterGenerator(
            cluster.url,
            Load(9, 3, 0.01),
            DIALOGUE,
            [server.endpoint],
            "fan-",
            answer_timeout_s=PATIENCE_S,
            conduct=ONLY_WATCH,
            events=0,
        ) as generator,
    ):
        generator.start()
        assert generator.wait_all_settled(PATIENCE_S).answered == 9
        cluster.kill_worker(1)
        while all(each.lost is None for each in generator.hosts):
            generator.hold(0.05)
        samples, usage = generator.finish(0.0)
        lost, kept = sorted(generator.hosts, key=lambda each: each.lost is None)
    assert usage.processes == 1
    assert samples.outcomes() == {Outcome.HELD: kept.played, Outcome.UNTOLD: lost.played}
    assert lost.lost is not None
    assert kept.lost is None
    assert kept.observation is not None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--cluster", NOBODY), "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (("--cluster", "here"), "no Dask scheduler answers at here"),
        (("--cluster", NOBODY, "--pin", "generator=0"), "--pin generator is for fans of this machine"),
        (("--cluster", NOBODY, "--netns"), "--netns is for fans of this machine"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(words: tuple[str, ...], error: str, tmp_path: Path) -> None:
    done = run("measure", *LOAD, "--out", str(tmp_path), *words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"harness: {error}")
    assert done.stderr.count("\n") == 1
