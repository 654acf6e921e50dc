"""The stores of stage 3 do what a `RedisStore` does, whichever way the commands go."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from common.domain.errors import UnknownMatchError
from common.domain.match import Team
from common.otp import Node
from common.store import codec
from common.store.errors import ConflictError, StoreUnavailableError, UnknownOutcomeError
from stages.stage3 import keys, visits
from stages.stage3.group_store import GroupStore
from stages.stage3.request_queue import pack
from stages.stage3.requests import RESUBSCRIBE_S, Request, Requests
from stages.stage3.subscriptions import Published, Subscriptions
from tests.common.store import records
from tests.common.store.test_redis_store import MATCH, event, play
from tests.stages.stage3.proxy import Fate, Proxy
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from common.store.connections import Connections
    from tests.redis_server import RedisServer
    from tests.stages.stage3.system import System


@pytest.fixture
async def node(system: System) -> Node:
    node = await system.node()
    await system.writer(node=node)
    return node


@pytest.fixture(params=["no writer", "readers", "one door"])
async def store(request: pytest.FixtureRequest, system: System, node: Node) -> AsyncIterator[GroupStore]:
    if request.param != "no writer":
        yield system.store(node, reads_directly=request.param == "readers")
        return
    store = GroupStore(system.url)
    yield store
    await store.close()


async def test_matches_teams_and_events_are_kept(store: GroupStore) -> None:
    assert await store.matches() == []
    assert await store.put_team(records.TEAM)
    renamed = Team(id="tig", name="Club Atlético Tigre", players=records.SQUAD)
    assert not await store.put_team(renamed)
    assert await store.team("tig") == renamed
    assert await store.match(MATCH.id) is None
    assert await store.create_match(MATCH)
    assert not await store.create_match(MATCH)
    await play(store, 1, 12)
    assert await store.match(MATCH.id) == records.match(seq=12)
    assert await store.matches() == [records.match(seq=12)]
    assert await store.history(MATCH.id, after_seq=9) == [event(seq) for seq in (10, 11, 12)]
    assert await store.cancel(MATCH.id)
    assert not await store.cancel(MATCH.id)
    assert await store.matches() == []
    assert await store.history(MATCH.id) == []


async def test_refusals_come_back_as_what_they_are(store: GroupStore) -> None:
    with pytest.raises(UnknownMatchError, match=MATCH.id):
        await play(store, 1, 1)
    await store.create_match(MATCH)
    await play(store, 1, 2)
    with pytest.raises(ConflictError, match="has 2 events, so event 2 cannot follow"):
        await play(store, 2, 2)
    assert await store.history(MATCH.id) == [event(1), event(2)]


async def test_a_match_announced_anew_is_told_from_the_one_before_by_its_last_event(store: GroupStore) -> None:
    before = event(2)
    now = msgspec.structs.replace(before, at=before.at + timedelta(microseconds=1))
    await store.create_match(MATCH)
    await play(store, 1, 2)
    await store.append(records.match(seq=3), event(3), after=before.at)
    await store.cancel(MATCH.id)
    await store.create_match(MATCH)
    await play(store, 1, 1)
    await store.append(records.match(seq=2), now, after=event(1).at)
    with pytest.raises(ConflictError, match="announced anew, or set back: read it again"):
        await store.append(records.match(seq=3), event(3), after=before.at)
    assert await store.history(MATCH.id) == [event(1), now]
    await store.append(records.match(seq=3), event(3), after=now.at)
    assert await store.match(MATCH.id) == records.match(seq=3)


async def test_what_redis_refuses_is_said(store: GroupStore, raw: Connections) -> None:
    await store.create_match(MATCH)
    await raw.call("SET", f"events:{{{MATCH.id}}}", "not a stream")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE") as caught:
        await play(store, 1, 1)
    assert "\n" not in str(caught.value)
    assert await store.match(MATCH.id) == MATCH


async def test_visits_are_counted(store: GroupStore) -> None:
    assert [await store.visit("ana"), await store.visit("ana"), await store.visit("ñandú {x} 7")] == [1, 2, 1]
    counts = await asyncio.gather(*(store.visit("bea") for _ in range(200)))
    assert sorted(counts) == list(range(1, 201))


async def test_other_nodes_are_told_of_what_changes_in_a_match(
    store: GroupStore, system: System, raw: Connections
) -> None:
    node = Node()
    await system.subscriptions(node)
    listener, process = await system.listener(node)
    channel = keys.match_channel(MATCH.id)
    await Subscriptions.subscribe(node, channel, process)
    await store.put_team(records.TEAM)
    await store.create_match(MATCH)
    await play(store, 1, 2)
    await store.cancel(MATCH.id)
    places = [codec.place(seq, event(seq).at).encode() for seq in (1, 2)]
    expected = [Published(channel, news) for news in (b"created", *places, b"cancelled")]
    await eventually(lambda: listener.heard == expected, f"{listener.heard} is {expected}")


async def test_of_nodes_that_race_exactly_one_wins_each_turn(system: System, node: Node) -> None:
    other = await system.node("b")
    stores = [system.store(node), system.store(other), system.store(other, reads_directly=False)]
    await stores[0].create_match(MATCH)
    winners = []
    for seq in range(1, 21):
        attempts = [store.append(records.match(seq=seq), event(seq, f"{i}")) for i, store in enumerate(stores)]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError", "ConflictError", "NoneType"]
        winners.append(str(outcomes.index(None)))
    assert [stored.details["comment"] for stored in await stores[1].history(MATCH.id)] == winners


async def test_visits_that_come_together_go_together(system: System, node: Node) -> None:
    store = system.store(node)
    requests = next(node.servers(Requests))
    counts = await asyncio.gather(*(store.visit(f"fan-{number % 700}") for number in range(1000)))
    assert sorted(counts) == [1] * 700 + [2] * 300
    assert requests.statistics().asked == 1000 / visits.BATCH_SIZE
    assert requests.statistics().waiting == 0


async def test_a_visitor_who_does_not_wait_is_counted_all_the_same(system: System, node: Node) -> None:
    store = system.store(node)
    visitors = [asyncio.create_task(store.visit("ana"), name="visitor") for _ in range(3)]
    await asyncio.sleep(0)
    visitors[1].cancel()
    outcomes = await asyncio.gather(*visitors, return_exceptions=True)
    assert outcomes[::2] == [1, 3]


async def test_a_store_that_is_closed_lets_nobody_wait(system: System) -> None:
    node = await system.node()  # without a writer
    store = system.store(node)
    sent = asyncio.create_task(store.visit("ana"), name="sent")
    requests = next(node.servers(Requests))
    await eventually(lambda: requests.statistics().waiting == 1, "a visit is under way")
    late = asyncio.create_task(store.visit("bea"), name="late")
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreUnavailableError, match="given up before it was answered"):
        await sent
    with pytest.raises(StoreUnavailableError, match="closed by this program"):
        await late


async def test_without_a_writer_callers_are_told_in_time(system: System, raw: Connections) -> None:
    store = system.store(await system.node(timeout_s=1.0), timeout_s=1.0)
    outcomes = await asyncio.gather(
        store.create_match(MATCH), store.visit("ana"), store.visit("bea"), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes[:1]} == {UnknownOutcomeError}
    assert {type(outcome) for outcome in outcomes[1:]} == {StoreUnavailableError}
    assert "the writer did not answer within 1 s" in str(outcomes[0])
    await system.writer()

    async def carried_out() -> bool:
        return bool(await raw.call("XLEN", keys.REQUESTS) == 0)

    await eventually(carried_out, "what is left is carried out")
    patient = system.store(await system.node("b"))
    assert await patient.visit("ana") == 2  # visits count however late
    assert await patient.match(MATCH.id) is None  # a match that nobody waited for any more is not announced


async def test_callers_are_served_by_a_writer_that_appears_in_time(system: System) -> None:
    store = system.store(await system.node())
    requests = [store.create_match(MATCH), *(store.visit("ana") for _ in range(3)), play(store, 1, 2)]
    waiting = [asyncio.create_task(request, name="waits") for request in requests]
    await asyncio.sleep(0.05)
    await system.writer()
    assert await asyncio.gather(*waiting) == [MATCH, 1, 2, 3, None]
    assert await store.history(MATCH.id) == [event(1), event(2)]


async def test_when_the_requests_are_restarted_callers_are_told(system: System) -> None:
    node = await system.node()
    store = system.store(node)
    waiting = asyncio.create_task(store.create_match(MATCH), name="waits")
    requests = next(node.servers(Requests))
    await eventually(lambda: requests.statistics().waiting == 1, "it is asked")
    node[Requests.NAME].exit("crash")
    with pytest.raises(StoreUnavailableError, match="being restarted"):
        await waiting
    with pytest.raises(StoreUnavailableError, match="being restarted"):
        await store.create_match(MATCH)


async def test_without_subscriptions_nothing_is_asked(system: System, raw: Connections) -> None:
    node = await system.node()
    node[Subscriptions.NAME].kill()
    with pytest.raises(StoreUnavailableError, match="subscriptions are being restarted"):
        await system.store(node).create_match(MATCH)
    assert await raw.call("EXISTS", keys.REQUESTS) == 0


async def test_a_caller_who_left_before_it_was_sent_asks_for_nothing(system: System, raw: Connections) -> None:
    node = await system.node()
    caller = asyncio.create_task(node[Requests.NAME].call(Request(pack([("INCR", "n")]))), name="leaves")
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    requests = next(node.servers(Requests))
    await eventually(lambda: requests.statistics().waiting == 0, "the request is forgotten")
    assert await raw.call("EXISTS", keys.REQUESTS) == 0


async def test_an_answer_that_nobody_heard_is_asked_for(system: System, redis: RedisServer, raw: Connections) -> None:
    node = await system.node()
    store = system.store(node)
    visit = asyncio.create_task(store.visit("ana"), name="asked before")

    async def asked() -> bool:
        return bool(await raw.call("EXISTS", keys.REQUESTS))

    await eventually(asked, "it is asked")
    await redis.kill()
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await store.create_match(MATCH)
    await redis.start()
    await system.writer()
    assert await visit == 1


async def test_a_request_that_the_writer_cannot_read_is_said(system: System, raw: Connections) -> None:
    node = await system.node()
    store = system.store(node)
    caller = asyncio.create_task(store.create_match(MATCH), name="caller")

    async def asked() -> bool:
        return bool(await raw.call("EXISTS", keys.REQUESTS))

    await eventually(asked, "it is asked")
    (channel,) = await raw.call("PUBSUB", "CHANNELS", keys.replies_channel("*"))
    ((entry, fields),) = await raw.call("XRANGE", keys.REQUESTS, "-", "+")
    await raw.call_all((("XDEL", keys.REQUESTS, entry), ("XADD", keys.REQUESTS, "*", *fields[:-1], b"\xc1")))
    assert channel in fields
    await system.writer()
    with pytest.raises(StoreUnavailableError, match=r"could not read a request .*: run the same version on all nodes"):
        await caller


async def test_a_name_that_cannot_be_sent_harms_no_other(system: System, node: Node) -> None:
    store = system.store(node)
    outcomes = await asyncio.gather(*(store.visit(user) for user in ("ana", "\ud800", "bea")), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, UnicodeEncodeError, int]
    with pytest.raises(UnicodeEncodeError):
        await store.cancel("\ud800")
    assert await store.visit("ana") == 2


async def test_an_answer_is_not_lost_with_the_subscriptions_of_a_node(system: System) -> None:
    node = await system.node()
    store = system.store(node)
    caller = asyncio.create_task(store.create_match(MATCH), name="caller")
    requests = next(node.servers(Requests))
    await eventually(lambda: requests.statistics().waiting == 1, "it is asked")
    await Subscriptions.subscribe(node, "another", (await system.listener(node))[1])
    subscriptions = node[Subscriptions.NAME]
    subscriptions.kill()
    await subscriptions.wait()
    await asyncio.sleep(RESUBSCRIBE_S * 1.5)  # so that the first attempt to subscribe again is in vain
    writer = await system.writer()
    await eventually(lambda: writer.statistics().executed == 1, "it is carried out, and nobody hears it")
    await system.subscriptions(node)
    assert await caller


async def test_a_request_that_may_be_in_the_queue_is_waited_for(system: System, tmp_path: Path) -> None:
    """Its sender hears nothing of its being put there, and its writer carries it out."""
    node = Node()
    await system.subscriptions(node)
    await system.writer()
    lost = {b"XADD": Fate.LOSE_ANSWER}
    async with Proxy(tmp_path, system.url, lambda command: lost.get(command[0], Fate.PASS)) as proxy:
        await system.start(node, Requests(proxy.url, "a"), Requests.NAME)
        assert await system.store(node).create_match(MATCH) == MATCH


async def test_a_request_that_was_certainly_not_sent_is_refused_at_once(system: System, tmp_path: Path) -> None:
    node = Node()
    await system.subscriptions(node)
    await system.start(node, Requests(f"unix://{tmp_path}/nobody", "a", timeout_s=600), Requests.NAME)
    with pytest.raises(StoreUnavailableError) as refused:
        await system.store(node).create_match(MATCH)
    assert not isinstance(refused.value, UnknownOutcomeError)


async def test_an_answer_that_was_taken_is_deleted_once(system: System, tmp_path: Path) -> None:
    deleted: list[bytes] = []

    def note(command: list[bytes]) -> Fate:
        if command[0] == b"HDEL":
            deleted.extend(command[2:])
        return Fate.PASS

    node = Node()
    await system.subscriptions(node)
    await system.writer()
    async with Proxy(tmp_path, system.url, note) as proxy:
        await system.start(node, Requests(proxy.url, "a"), Requests.NAME)
        store = system.store(node)
        for number in range(1, 5):
            assert await store.visit("ana") == number
    assert deleted == [b"1", b"2", b"3"]
