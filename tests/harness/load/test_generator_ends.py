"""However a load ends, nothing of its generator is left, and who waited for it learns why."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.interruption import interruptions_deferred
from harness.load.controller import Generator, GeneratorError
from harness.load.counters import SharedProgress
from harness.load.workload import Load
from tests.harness import known_servers
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, KnownServer
from tests.harness.load.generating import SOON_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_an_exception_in_the_trial_ends_processes_and_connections() -> None:
    with KnownServer(known_servers.holds) as server:
        generator = Generator(Load(4, 4, SOON_S), DIALOGUE, [server.endpoint], "fan-", processes=2)
        with pytest.raises(KeyboardInterrupt), generator:
            interrupt(generator)
        assert len(generator.pids) == 2
        assert not any(map(psutil.pid_exists, generator.pids))
        assert server.wait_until_gone(4)


def test_whoever_waits_for_fans_or_reports_can_be_interrupted() -> None:
    def wait_all_settled(generator: Generator) -> None:
        generator.wait_all_settled(PATIENCE_S)

    def wait_until_quiet(generator: Generator) -> None:
        wait_for(generator, lambda progress: progress.answered == 1)
        generator.wait_until_quiet(PATIENCE_S, PATIENCE_S)

    def finish(generator: Generator) -> None:
        psutil.Process(generator.pids[0]).suspend()
        generator.finish(0.0, PATIENCE_S)

    for wait, serves in (
        (wait_all_settled, known_servers.never_answers),
        (wait_until_quiet, known_servers.holds),
        (finish, known_servers.holds),
    ):
        with (
            KnownServer(serves) as server,
            interruptions_deferred(),
            Generator(Load(1, 1), DIALOGUE, [server.endpoint], "fan-") as generator,
        ):
            generator.start()
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                wait(generator)


def test_a_trial_that_is_killed_takes_its_generator_along() -> None:
    with KnownServer(known_servers.holds) as server:
        program = f"""
            import signal
            from harness.load.controller import Generator
            from harness.load.workload import Endpoint, Load
            from tests.harness.known_servers import DIALOGUE
            endpoint = Endpoint("127.0.0.1", {server.endpoint.port})
            with Generator(Load(4, 4), DIALOGUE, [endpoint], "fan-", processes=2) as generator:
                generator.start()
                generator.wait_all_settled(20.0)
                print(*generator.pids, flush=True)
                signal.pause()
        """
        command = [sys.executable, "-c", textwrap.dedent(program)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trial:
            assert trial.stdout is not None
            workers = [psutil.Process(int(pid)) for pid in trial.stdout.readline().split()]
            assert len(workers) == 2
            trial.kill()
        assert server.wait_until_gone(4)
        assert psutil.wait_procs(workers, PATIENCE_S)[1] == []


def test_a_generator_process_ends_when_nobody_controls_it_any_more() -> None:
    ours, theirs = Pipe()
    with SharedProgress.create() as progress, theirs:
        fds = (theirs.fileno(), progress.fd)
        server = start_fork_server(fds)
    assert server.stdout is not None
    pid = server.stdout.readline().strip()
    ours.close()
    assert server.stdout.readline().split() == [pid, "0"]
    assert server.communicate() == ("", None)
    assert server.returncode == 0


def test_who_starts_them_ends_them_when_told_and_when_killed() -> None:
    for ends in (subprocess.Popen.communicate, subprocess.Popen.kill):
        pipes = [Pipe() for _ in range(3)]
        with ExitStack() as stack:
            shared = [stack.enter_context(SharedProgress.create()) for _ in pipes]
            fds = [
                fd for (_, theirs), progress in zip(pipes, shared, strict=True) for fd in (theirs.fileno(), progress.fd)
            ]
            server = start_fork_server(fds)
        assert server.stdout is not None
        copies = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
        assert [copy.ppid() for copy in copies] == [server.pid] * 3
        with server:
            ends(server)
            assert psutil.wait_procs(copies, PATIENCE_S)[1] == []
        for ours, theirs in pipes:
            ours.close()
            theirs.close()


def test_a_process_sees_only_its_own_connection_so_that_its_end_is_seen() -> None:
    with (
        KnownServer(known_servers.never_answers) as server,
        Generator(Load(2, 2, SOON_S), DIALOGUE, [server.endpoint], "fan-", processes=2) as generator,
    ):
        generator.start()
        first, second = generator.pids
        end(first)  # the other one is there still
        with pytest.raises(GeneratorError, match=f"{first} died .exit status -9."):
            generator.wait_all_settled(PATIENCE_S)
        assert psutil.Process(second).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("stage", ["before start", "waiting", "finishing"])
def test_a_generator_process_that_dies_is_an_error_on_one_line(stage: str) -> None:
    with (
        KnownServer(known_servers.never_answers) as server,
        Generator(Load(2, 2, SOON_S), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        (pid,) = generator.pids
        if stage == "before start":
            end(pid)
            with pytest.raises(GeneratorError, match=f"{pid} died"):
                generator.start()
            return
        generator.start()
        end(pid)
        with pytest.raises(GeneratorError, match=r"exit status -9"):
            _ = generator.wait_all_settled(PATIENCE_S) if stage == "waiting" else generator.finish(0.0)


def interrupt(generator: Generator) -> None:
    generator.start()
    generator.wait_all_settled(PATIENCE_S)
    raise KeyboardInterrupt


def end(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    process.wait(PATIENCE_S)


def start_fork_server(fds: Sequence[int]) -> subprocess.Popen[str]:
    pairs = (f"{control}:{progress}" for control, progress in zip(fds[::2], fds[1::2], strict=True))
    command = [sys.executable, "-m", "harness.load.fork_server", *pairs]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=fds, text=True)
