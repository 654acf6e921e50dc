"""Surveys: every process is counted, those with most are told, and names of people are not."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.otp.footprint import footprint
from common.otp.gen_server import GenServer
from common.otp.node import Node
from common.otp.process import Process
from common.otp.signals import SHUTDOWN
from common.otp.supervisor import ChildSpec, Restart, SimpleOneForOne, StartChild, Supervisor
from common.otp.survey import KindStatistics, Order, ProcessStatistics, Survey, Surveyor
from tests.common.otp.servers import Boom, Probe
from tests.virtual_time import idle, now_s, run_virtual


class Person(Probe):
    """One of many."""

    many = True


class Stuck(GenServer):
    """Never comes to its mail."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    async def handle_cast(self, message: object) -> None:
        del message
        await asyncio.Event().wait()


def boom(*_: object) -> None:
    raise Boom


async def surveyed(node: Node, most: int = 100, order: Order = Order.MAILBOX) -> Survey:
    return await Surveyor(node, b"salt").survey({order: most})


def kind(survey: Survey, name: str) -> KindStatistics:
    (found,) = (one for one in survey.kinds if one.kind == name)
    return found


def first(survey: Survey) -> tuple[ProcessStatistics, ...]:
    """Return who comes first in the one order that was asked for."""
    return next(iter(survey.first.values()), ())


def names(survey: Survey) -> list[str]:
    return [process.name for process in first(survey)]


async def sent(process: Process, messages: int) -> Process:
    for number in range(messages):
        process.cast(number)
    await idle()
    return process


@pytest.mark.usefixtures("hibernates")
async def test_a_kind_counts_those_who_are_there_and_those_who_were(node: Node) -> None:
    for messages in (1, 2, 3):
        gone = await sent(await node.start(Probe()), messages)
    gone.exit(SHUTDOWN)
    await gone.wait()
    found = kind(await surveyed(node), "Probe")
    assert (found.alive, found.started, found.messages, found.mailbox, found.restarts) == (2, 3, 6, 0, 0)
    assert found.memory_bytes > 0


@pytest.mark.usefixtures("hibernates")
async def test_classes_of_one_name_are_one_kind(node: Node) -> None:
    layered = type("Probe", (Probe,), {})
    processes = [await sent(await node.start(server), 2) for server in (Probe(), layered(), layered())]
    found = kind(await surveyed(node), "Probe")
    assert (found.alive, found.messages) == (3, 6)
    for process in processes:
        process.exit(SHUTDOWN)
        await process.wait()
    found = kind(await surveyed(node), "Probe")
    assert (found.alive, found.started, found.messages, found.memory_bytes) == (0, 3, 6, 0)


async def test_what_waits_and_what_is_held_is_added_up(node: Node) -> None:
    layered = type("Stuck", (Stuck,), {})
    servers = Stuck(bytes(1_000)), layered(bytes(10_000)), layered(bytes(40_000))
    processes = [await sent(await node.start(server), 3) for server in servers]
    found = kind(await surveyed(node), "Stuck")
    assert (found.alive, found.started, found.mailbox) == (3, 3, 6)
    assert found.memory_bytes == pytest.approx(sum(map(footprint, processes)), abs=100)


@pytest.mark.usefixtures("hibernates")
async def test_the_first_are_those_with_most_in_the_order_that_is_asked_for(node: Node) -> None:
    await sent(await node.start(Stuck(), name="waits"), 5)
    await sent(await node.start(Probe(), name="busy"), 9)
    await sent(await node.start(Stuck(bytes(100_000)), name="large"), 2)
    assert names(await surveyed(node, 1, Order.MAILBOX)) == ["waits"]
    assert names(await surveyed(node, 2, Order.MESSAGES)) == ["busy", "waits"]
    assert names(await surveyed(node, 1, Order.MEMORY)) == ["large"]
    waits = first(await surveyed(node))[0]
    assert (waits.name, waits.kind, waits.mailbox, waits.messages) == ("waits", "Stuck", 4, 1)
    assert names(await surveyed(node, 0)) == []
    assert names(await surveyed(node, 0, Order.MEMORY)) == []


async def test_one_survey_tells_who_comes_first_in_every_order_that_is_asked_for(node: Node) -> None:
    await sent(await node.start(Stuck(), name="waits"), 5)
    await sent(await node.start(Probe(), name="busy"), 9)
    await sent(await node.start(Stuck(bytes(100_000)), name="large"), 2)
    wanted = {Order.MAILBOX: 1, Order.MESSAGES: 2, Order.MEMORY: 1, Order.RESTARTS: 0}
    survey = await Surveyor(node, b"salt").survey(wanted)
    told = {order: [process.name for process in rows] for order, rows in survey.first.items()}
    assert told == {Order.MAILBOX: ["waits"], Order.MESSAGES: ["busy", "waits"], Order.MEMORY: ["large"]}


async def test_the_first_of_more_than_are_told_are_chosen_by_the_order(node: Node) -> None:
    await node.start(Supervisor([ChildSpec("steady", Probe), ChildSpec("shaky", Probe)]))
    await sent(node["shaky"], 2)
    node["shaky"].cast(boom)
    await sent(await node.start(Stuck(), name="waits"), 5)
    await sent(node["steady"], 9)
    for _ in range(9):
        await node.start(Probe())  # of equals nobody comes first
    wanted = {Order.MAILBOX: "waits", Order.MESSAGES: "steady", Order.RESTARTS: "shaky"}
    assert {order: names(await surveyed(node, 8, order))[0] for order in wanted} == wanted


async def test_restarts_are_counted_by_name(node: Node) -> None:
    specs = [ChildSpec("steady", Probe), ChildSpec("shaky", Probe)]
    await node.start(Supervisor(specs), name="top")
    for _ in range(2):
        node["shaky"].cast(boom)
        await idle()
    survey = await surveyed(node, 3, Order.RESTARTS)
    assert first(survey)[0].name == "shaky"
    assert {process.name: process.restarts for process in first(survey)} == {"shaky": 2, "steady": 0, "top": 0}
    assert kind(survey, "Probe").restarts == 2


async def test_restarts_of_children_of_one_kind_are_counted_too(node: Node) -> None:
    top = await node.start(SimpleOneForOne(Probe, Restart.PERMANENT))
    named: Process = await top.call(StartChild((), "named"))
    nameless: Process = await top.call(StartChild(()))
    for process in (named, nameless):
        process.cast(boom)
    await idle()
    survey = await surveyed(node)
    assert kind(survey, "Probe").restarts == 2
    restarts = {process.name: process.restarts for process in first(survey)}
    assert restarts.pop("named") == 1
    assert sum(restarts.values()) == 0, "nobody knows whose a count of the nameless is"


async def test_nobody_learns_who_is_one_of_many(node: Node) -> None:
    await node.start(Person(), name="user-juan")
    await node.start(Person(), name="user-ana")
    surveyor = Surveyor(node, b"salt")
    once, again = [await surveyor.survey({Order.MAILBOX: 9}) for _ in range(2)]
    assert sorted(names(once)) == sorted(names(again))
    assert len({*names(once)}) == 2
    assert all(name.startswith("Person#") for name in names(once))
    assert {*names(once)}.isdisjoint(names(await Surveyor(node, b"other").survey({Order.MAILBOX: 9})))
    assert once.few == ()


async def test_a_process_without_a_name_has_a_number_and_one_that_was_registered_later_its_name(node: Node) -> None:
    *nameless, late = [await node.start(Probe()) for _ in range(3)]
    node.register("late", late)
    survey = await surveyed(node)
    numbers = {*names(survey)} - {"late"}
    assert len(numbers) == 2
    assert all(name.startswith("Probe#") for name in numbers)
    assert {*survey.few} == {*nameless, late}


async def test_who_ends_while_it_is_made_is_not_told(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.otp.survey._PIECE", 1)
    for _ in range(20):
        await node.start(Probe())
    process = await node.start(Probe(), name="ends")
    making = asyncio.create_task(surveyed(node))
    await asyncio.sleep(0)  # it has begun, and lets others run after each process
    process.kill()
    survey = await making
    assert "ends" not in names(survey)
    assert process not in survey.few
    assert len(first(survey)) == 20
    assert now_s() == 0.0, "it waits for its turn, and no longer"


async def test_those_who_end_while_it_is_made_hide_nobody(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.otp.survey._PIECE", 1)
    kinds = {f"Kind{number}" for number in range(10)}
    for name in kinds:
        await node.start(type(name, (Probe,), {})())
    end = [await node.start(Probe()) for _ in range(30)]
    making = asyncio.create_task(surveyed(node))
    await asyncio.sleep(0)
    for process in end:
        process.kill()
    assert {one.kind for one in (await making).kinds if one.alive} >= kinds


async def test_the_loop_goes_on_after_each_eight_whose_memory_is_estimated(node: Node) -> None:
    for _ in range(17):
        await node.start(Probe())
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def turns_for(most: int) -> int:
        before = turns
        await surveyed(node, most)
        return turns - before

    beside = asyncio.create_task(others())
    assert await turns_for(17) == await turns_for(1) + 2
    beside.cancel()
    await asyncio.wait([beside])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 8))
def test_the_first_are_right_whatever_there_is(mailboxes: list[int], most: int) -> None:
    async def found() -> Survey:
        node = Node()
        for number, messages in enumerate(mailboxes):
            process = await node.start(Stuck(), name=f"p{number}")
            await sent(process, messages)
        survey = await surveyed(node, most)
        for process in node.processes():
            process.kill()
            await process.wait()
        return survey

    survey = run_virtual(found())
    waiting = sorted((max(messages - 1, 0) for messages in mailboxes), reverse=True)
    assert [process.mailbox for process in first(survey)] == waiting[:most]
    assert kind(survey, "Stuck").mailbox == sum(waiting)


async def test_a_footprint_grows_with_what_is_held_and_not_with_what_is_shared(node: Node) -> None:
    small, large = await node.start(Stuck()), await node.start(Stuck(bytes(50_000)))
    assert 50_000 <= footprint(large) - footprint(small) < 51_000
    shared = bytes(50_000)
    crowd = [await node.start(Stuck(shared)) for _ in range(20)]
    assert footprint(crowd[0]) < footprint(small) + 1000


@pytest.mark.parametrize("messages", [10, 1000])
async def test_a_footprint_counts_the_mailbox(node: Node, messages: int) -> None:
    process = await node.start(Stuck())
    before = footprint(process)
    for number in range(messages):
        process.cast(bytes([number % 256]) * 1000)
    await idle()
    grown = footprint(process) - before
    assert messages * 1000 * 0.8 < grown < messages * 1500
