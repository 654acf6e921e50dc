"""However a load ends, nothing of its generator is left, and who waited for it learns why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from multiprocessing.connection import Pipe

import psutil
import pytest

from harness.interruption import interruptions_deferred
from harness.load.controller import Generator, GeneratorError
from harness.load.counters import SharedProgress
from harness.load.workload import Load
from tests.harness import known_servers
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, KnownServer
from tests.harness.load.generating import SOON_S, wait_for


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
        command = [sys.executable, "-m", "harness.load.worker", *map(str, fds)]
        worker = subprocess.Popen(command, pass_fds=fds)
    ours.close()
    assert worker.wait(PATIENCE_S) == 0


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
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it is over, and whose child it is still finds out by itself
