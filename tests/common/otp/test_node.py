"""Names, and the counts of a node."""

import asyncio

import pytest

from common.otp.gen_server import GenServer
from common.otp.node import AlreadyStartedError, Node
from common.otp.signals import SHUTDOWN, NoProcessError
from tests.common.otp.servers import Boom, Probe, Stubborn, Trapping
from tests.virtual_time import idle

pytestmark = pytest.mark.usefixtures("hibernates")


class Asleep(Probe):
    """Is not up before somebody wakes it."""

    def __init__(self) -> None:
        super().__init__()
        self.alarm = asyncio.Event()

    async def init(self) -> None:
        await self.alarm.wait()


async def test_a_process_is_known_by_its_name_until_its_end(node: Node) -> None:
    process = await node.start(Stubborn(1.0), name="db")
    assert node["db"] is process
    assert node.whereis("db") is process
    process.exit(SHUTDOWN)
    await idle()
    assert node["db"] is process
    await process.wait()
    assert node.whereis("db") is None
    with pytest.raises(NoProcessError, match="no process is registered as db"):
        node["db"]


async def test_without_a_name_it_is_called_after_its_server_but_not_registered(node: Node) -> None:
    process = await node.start(Probe())
    assert repr(process) == "<Probe>"
    assert node.whereis("Probe") is None


async def test_a_process_may_have_more_names_until_its_end(node: Node) -> None:
    process, other = await node.start(Probe(), name="db"), await node.start(Probe(), name="other")
    node.register("redis", process)
    assert node["redis"] is node["db"] is process
    with pytest.raises(AlreadyStartedError, match="redis is registered already") as caught:
        node.register("redis", other)
    assert caught.value.process is process
    process.exit(SHUTDOWN)
    await process.wait()
    assert node.whereis("redis") is None
    node.register("redis", other)
    assert node["redis"] is other


async def test_the_end_of_an_unnamed_process_does_not_free_the_name_of_another(node: Node) -> None:
    unnamed, named = await node.start(Probe()), await node.start(Probe(), name="Probe")
    unnamed.exit(SHUTDOWN)
    await unnamed.wait()
    assert node["Probe"] is named


async def test_a_name_can_be_taken_once(node: Node) -> None:
    process = await node.start(Probe(), name="db")
    with pytest.raises(AlreadyStartedError, match="db is registered already") as caught:
        await node.start(Probe(), name="db")
    assert caught.value.process is process
    assert len(node.processes()) == 1


async def test_a_name_is_taken_and_can_be_called_from_before_init(node: Node) -> None:
    server = Asleep()
    start = asyncio.create_task(node.start(server, name="db"))
    await idle()
    with pytest.raises(AlreadyStartedError):
        await node.start(Probe(), name="db")
    call = asyncio.create_task(node["db"].call("hello"))
    await idle()
    assert not call.done()
    server.alarm.set()
    await start
    assert await call == ("answer", "hello")


async def test_a_name_is_free_again_for_who_is_told_of_the_end(node: Node) -> None:
    process, watcher = await node.start(Probe(), name="db"), await node.start(Trapping())
    watcher.link(process)
    process.exit(SHUTDOWN)
    await idle()
    assert await node.start(Probe(), name="db") is node["db"]


async def test_a_name_whose_init_failed_is_free_again(node: Node) -> None:
    server = Probe()

    async def init() -> None:
        raise Boom

    server.init = init  # type: ignore[method-assign]  # this one server's own
    with pytest.raises(Boom):
        await node.start(server, name="db")
    await node.start(Probe(), name="db")


async def test_a_server_knows_its_process_and_node_in_init(node: Node) -> None:
    class Curious(Probe):
        async def init(self) -> None:
            self.seen += [self.process.name, self.node is node, self.node[self.process.name] is self.process]

    server = Curious()
    await node.start(server, name="me")
    assert server.seen == ["me", True, True]


async def test_a_node_knows_who_runs_in_the_order_of_their_starts_and_a_process_what_waits_for_it(node: Node) -> None:
    assert node.processes() == []
    probes = [await node.start(Probe()) for _ in range(3)]
    trapping = await node.start(Trapping())
    assert node.processes() == [*probes, trapping]
    for number in range(5):
        probes[0].cast(number)
    assert [process.queued for process in probes] == [5, 0, 0]
    await idle()
    assert probes[0].queued == 0
    ended = probes.pop(1)
    ended.kill()
    await ended.wait()
    last = await node.start(Probe())
    assert node.processes() == [*probes, trapping, last]


async def test_the_servers_of_a_kind_can_be_gone_through(node: Node) -> None:
    probe, trapping = Probe(), Trapping()
    await node.start(probe)
    await node.start(trapping)
    assert set(node.servers(Probe)) == {probe, trapping}
    assert list(node.servers(Trapping)) == [trapping]
    assert len(list(node.servers(GenServer))) == 2
