"""What a server breaks in itself for a measurement, and that nobody else can."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from common.otp.gen_server import GenServer
from common.otp.node import Node
from stages.stage0.faults import CrashRate, Faults, FaultsError, SupervisorCrash, parse_faults
from tests.stages.refusals import refused
from tests.virtual_time import run_virtual

if TYPE_CHECKING:
    from common.otp.process import Process
    from stages.stage0.parts import Parts


def test_faults_are_read() -> None:
    assert parse_faults("") == ()
    assert parse_faults("client=1%/s, user-supervisor@2.5s") == (
        CrashRate("client", 0.01),
        SupervisorCrash("user", 2.5),
    )


@pytest.mark.parametrize("text", ["client", "client=1%", "match=1%/s", "supervisor@5s", "client-supervisor=1%/s"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(FaultsError, match="is no fault: write for example client=1%/s,client-supervisor@2s"):
        parse_faults(text)


class Quiet(GenServer):
    """Does nothing until it ends."""


class Subject(Quiet):
    """What crashes."""


class Kinds:
    """Where clients are supervised by a process of that name."""

    @staticmethod
    def supervisor(node: Node) -> Process:
        return node["client_sup"]


PARTS = SimpleNamespace(client=Subject, client_sup=Kinds)


async def started(node: Node, faults: str, subjects: int) -> list[Process]:
    await node.start(Quiet(), name="client_sup")
    found = [await node.start(Subject()) for _ in range(subjects)]
    await node.start(Faults(cast("Parts", PARTS), parse_faults(faults)))
    return found


def test_a_share_of_the_processes_crashes_in_a_second() -> None:
    async def main() -> None:
        node = Node()
        subjects = await started(node, "client=10%/s", 100)
        await asyncio.sleep(2.05)
        crashed = sum(not subject.alive for subject in subjects)
        assert 15 <= crashed <= 20  # a tenth of fewer and fewer
        assert node["client_sup"].alive

    run_virtual(main())


def test_a_supervisor_crashes_once_and_after_the_first_of_its_kind_came() -> None:
    async def main() -> None:
        node = Node()
        await started(node, "client-supervisor@2s", 0)
        supervisor = node["client_sup"]
        await asyncio.sleep(10)
        assert supervisor.alive
        subject = await node.start(Subject())
        await asyncio.sleep(1.9)
        assert supervisor.alive
        await asyncio.sleep(0.3)
        assert not supervisor.alive
        assert subject.alive

    run_virtual(main())


@pytest.mark.parametrize(
    ("stage", "faults", "said"),
    [
        ("0", "client=soon", "'client=soon' is no fault: write for example client=1%/s"),
        ("4", "client=soon", "'client=soon' is no fault: write for example client=1%/s"),
        ("4", "client=1%/s", "stage 4 has no process for a fan that could crash: leave --faults out, or the lesson fd"),
    ],
)
def test_faults_that_cannot_be_are_refused_in_a_line(stage: str, faults: str, said: str) -> None:
    assert refused("serve", "--stage", stage, "--faults", faults).startswith(f"matchstream: {said}")
