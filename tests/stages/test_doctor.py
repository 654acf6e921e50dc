"""`matchstream doctor` and `serve --expect`: what is said of this machine, and of others."""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.main import get_command

import stages.cli
from common.http.client import ReporterClient
from common.tuning.open_files import OpenFiles, kept_files
from harness.records.directory import read_results
from harness.records.trial import TrialResult
from stages.catalogue import STAGES, find_stage
from stages.doctor import examine, needs_of, show
from tests.common.tuning.tree import plant
from tests.stages.every_stage import two_nodes
from tests.stages.refusals import refused
from tests.stages.serving import ServerProcess, environment, matchstream, run
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.tuning.ceilings import Ceiling, Diagnosis, Needs
    from stages.stage0.parts import Stage

RESULTS: Final = Path(__file__).parents[2] / "reports" / "results" / "stages"
FEW: Final = ("sh", "-c", 'ulimit -n 256; exec "$@"', "sh")
"""A prefix that runs a command with 256 open files, and no way to have more."""
MANY: Final = 4_000
"""From so many fans on the kernel's part can be seen."""

MACHINE: Final = {
    "proc/meminfo": "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n",
    "proc/net/sockstat": "TCP: inuse 2 orphan 0 tw 39 alloc 4 mem 17\n",
    "proc/self/cgroup": "0::/system.slice/match.service\n",
    "sys/fs/cgroup/system.slice/match.service/memory.max": "178257920\n",
    "sys/fs/cgroup/system.slice/match.service/memory.current": "10485760\n",
    "sys/fs/cgroup/system.slice/match.service/pids.max": "max\n",
    "proc/sys/net/core/somaxconn": "128\n",
    "proc/sys/net/ipv4/ip_local_port_range": "1024\t65535\n",
    "proc/sys/net/netfilter/nf_conntrack_max": "8192\n",
    "proc/sys/net/netfilter/nf_conntrack_count": "92\n",
}
"""A container of 170 MiB on a machine with a firewall, whose clients may be given any port."""


def examined(
    name: str, root: Path, *, nodes: int | None = None, expected: int | None = None
) -> tuple[Needs, Diagnosis]:
    return examine(STAGES[name], nodes=nodes, port=9999, http_port=8888, expected=expected, root=root)


def by_name(found: Diagnosis) -> dict[str, Ceiling]:
    return {one.name: one for one in found.ceilings}


def said(directory: Path, *options: str, prefix: Sequence[str] = ()) -> tuple[int, Any]:
    """Return the exit status of `matchstream doctor --json`, and what it prints."""
    ended = subprocess.run(
        matchstream("doctor", "--json", *options, prefix=prefix),
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ended.stderr == ""
    return ended.returncode, json.loads(ended.stdout)


def test_with_few_open_files_they_bound_first_and_decide(tmp_path: Path) -> None:
    own = needs_of(STAGES["2.5"]).own_files
    status, found = said(tmp_path, "--stage", "2.5", prefix=FEW)
    assert status == 0
    assert (found["stage"], found["processes"], found["expected"]) == ("2.5", 1, None)
    assert (found["holds"], found["bound_first"], found["met"]) == (256 - 16 - own, "open files", True)
    holds = found["holds"]
    assert [ceiling["name"] for ceiling in found["ceilings"] if ceiling["allows"] == holds] == ["open files"]
    for expected, status_then in ((holds, 0), (holds + 1, 1)):
        status, found = said(tmp_path, "--stage", "2.5", "--expect", str(expected), prefix=FEW)
        assert (status, found["met"], found["expected"]) == (status_then, status_then == 0, expected)
    assert found["ceilings"][0]["change"] == [
        "ulimit -n 257",
        "LimitNOFILE=257",
        "matchstream serve --stage 3 --nodes 2",
    ]


def test_nodes_have_open_files_each_and_four_is_what_they_are(tmp_path: Path) -> None:
    each = 256 - 16 - needs_of(STAGES["3"]).own_files
    for options, nodes in (((), 4), (("--nodes", "2"), 2), (("--nodes", "1"), 1)):
        _, found = said(tmp_path, "--stage", "3", *options, prefix=FEW)
        assert (found["processes"], found["holds"]) == (nodes, nodes * each)


def test_a_table_for_people_ends_with_whether_all_fit(tmp_path: Path) -> None:
    ended = run(environment(tmp_path, COLUMNS="60"), "doctor", "--stage", "0", "--expect", "5000")
    assert (ended.status, ended.stderr) == (1, "")
    first, *_, last = ended.stdout.splitlines()
    assert first == "stage 0, 1 process: room for 991 fans; bound first: open files"
    assert last.startswith("SHORT of 5,000 expected: open files")
    assert "  open files:                      matchstream serve --stage 0 --with open-files\n" in ended.stdout
    assert "…" not in ended.stdout  # nothing is cut off
    ended = run(environment(tmp_path), "doctor", "--stage", "0", "--expect", "1")
    assert (ended.status, ended.stdout.splitlines()[-1]) == (0, "MET: 1 expected")


@pytest.mark.parametrize("command", ["doctor", "serve"])
@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5"])
def test_what_is_no_number_of_fans_is_refused(tmp_path: Path, command: str, number: str) -> None:
    ended = run(environment(tmp_path), command, "--stage", "0", "--expect", number)
    assert (ended.status, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("matchstream: Invalid value for '--expect' ")
    assert line.endswith(f"(see matchstream {command} --help)")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--stage", "17"), "there is no stage '17'"),
        (("--stage", "2.5", "--nodes", "2"), "stage 2.5 is one process"),
        (("--stage", "3", "--port", "65530"), "there are no 16 ports from 65530 on"),
    ],
)
def test_what_cannot_be_served_is_refused(options: Sequence[str], why: str) -> None:
    assert why in refused("doctor", *options)


def test_a_container_behind_a_firewall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = plant(tmp_path, MACHINE)
    needs, found = examined("2.5", root, expected=11_000)
    allows = {name: one.allows for name, one in by_name(found).items()}
    assert (found.first.name, found.holds) == ("net.netfilter.nf_conntrack_max", 8100)
    assert allows["cgroup memory.max"] == (178_257_920 - 10_485_760 - needs.standing_bytes) // needs.fan_bytes
    assert allows["accept queue"] == 4 * 129
    assert "cgroup pids.max" not in allows
    assert [warning.split()[8] for warning in found.warnings] == ["9999-10002,8888-8891"]
    show(STAGES["2.5"], needs, found)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("  cgroup memory.max:")]
    limit = 10_485_760 + needs.standing_bytes + 11_000 * needs.fan_bytes
    assert line.split(maxsplit=2)[2] == f"echo {limit} > {root}/sys/fs/cgroup/system.slice/match.service/memory.max"
    assert f"{'':34} MemoryMax={limit}" in lines
    assert any(line.startswith("net.netfilter.nf_conntrack_max: Bounds N, wherever a firewall") for line in lines)
    assert f"CAREFUL: {found.warnings[0]}" in lines
    assert lines[-1].startswith("SHORT of 11,000 expected: net.netfilter.nf_conntrack_max, cgroup memory.max")


def test_any_port_is_one_that_no_client_is_given(tmp_path: Path) -> None:
    _, found = examine(STAGES["3"], nodes=2, port=0, http_port=0, expected=None, root=plant(tmp_path, MACHINE))
    assert found.warnings == ()


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("expected", [None, 20, 1_000_000, 10**9])
def test_every_command_that_is_named_is_one(tmp_path: Path, name: str, expected: int | None) -> None:
    needs, found = examined(name, tmp_path, expected=expected)
    assert found.is_met or found.first.change  # there is always something to be done
    lines = [line for one in found.ceilings for line in one.change]
    lines += [needs.more_open_files, needs.more_backlog, f"{needs.more_processes} 2"]
    commands = [line for line in lines if line.startswith("matchstream ")]
    assert commands
    for line in commands:
        _, command, *options = shlex.split(line)
        taken = get_command(stages.cli.app).commands[command].make_context(command, options).params  # type: ignore[attr-defined]
        assert find_stage(taken["stage"], added=taken["added"], left_out=taken["left_out"])


def test_a_lesson_that_was_left_out_is_not_added_but_left_in() -> None:
    assert needs_of(find_stage("2.5", left_out=["open-files"])).more_open_files == "matchstream serve --stage 2.5"
    assert needs_of(STAGES["0"]).more_backlog == "matchstream serve --stage 0 --with backlog"
    assert needs_of(STAGES["3"]).more_backlog == ""


def warnings_of(server: ServerProcess) -> list[str]:
    return [line for line in server.log().splitlines() if "expected" in line]


async def test_a_server_that_expects_too_many_says_so_in_one_line_and_serves(tmp_path: Path) -> None:
    with ServerProcess("3", tmp_path, "--nodes", "2", "--expect", "1000000", prefix=FEW) as server:
        async with ReporterClient(server.url) as api:
            assert not await api.matches()
        (line,) = warnings_of(server)
    holds = 2 * (256 - 16 - needs_of(STAGES["3"]).own_files)
    assert line.startswith(
        f"matchstream: 1,000,000 fans expected, room for {holds} (bound first: open files); to raise it: ulimit -n 5"
    )
    assert line.endswith(" (matchstream doctor has the rest)")


def test_a_server_whose_fans_fit_says_nothing(tmp_path: Path) -> None:
    with ServerProcess("0", tmp_path, "--expect", "100") as server:
        assert warnings_of(server) == []


@pytest.fixture(params=["0", "2.5", "4"])
def stage(request: pytest.FixtureRequest) -> Stage:
    name: str = request.param
    return STAGES[name]


async def test_a_server_has_the_files_open_that_are_said_to_be_its_own(stage: Stage, tmp_path: Path) -> None:
    needs = needs_of(stage, workers=0)
    options = ("--workers", "0") if stage.has("workers") else two_nodes(stage)
    with ServerProcess(stage.name, tmp_path, *options) as server:
        async with ReporterClient(server.url) as api:
            files = (await api.statistics()).open_files
    assert needs.own_files - 20 < files.open - 1 <= needs.own_files  # one is who asks
    assert files.limit == min(needs.open_files, OpenFiles.read().hard)
    assert kept_files(files.limit) == 16


@pytest.mark.skipif(not RESULTS.exists(), reason="needs results: make lab-stages")
def test_what_a_fan_takes_is_what_was_measured() -> None:
    """Within a quarter, for the stages in the results: server, Redis, and half of the kernel's part for both ends.

    What the kernel takes is told of the machine as a whole, so with few fans it is that of anything else.
    """
    sizes = defaultdict(list)
    for _, result in read_results(RESULTS):
        if not isinstance(result, TrialResult) or result.asked.target.stage is None or result.server is None:
            continue
        if result.asked.load.n < MANY:
            continue
        memory = result.server.memory
        assert memory is not None
        own = memory.server_per_connection + (memory.redis_per_connection or 0)
        sizes[result.asked.target.stage].append(own + memory.kernel_per_connection / 2)
    assert sizes
    for name, measured in sizes.items():
        assert needs_of(STAGES[name]).fan_bytes == pytest.approx(statistics.median(measured), rel=0.25), name
