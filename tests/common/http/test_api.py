import aiohttp
import msgspec
import pytest

from common.domain.events import Event
from common.domain.match import Match
from common.domain.script import Script
from common.http.answers import History, Matches
from common.http.statistics import Statistics, StatisticsQuery
from common.otp import Order
from tests.common.http.conftest import MATCH_ID
from tests.common.http.memory_backend import AT, MemoryBackend
from tests.common.http.samples import statistics

TEAM = {"name": "Boca", "players": [{"number": 9, "name": "Palermo"}]}


async def test_checkin_tells_where_to_connect(reader: aiohttp.ClientSession) -> None:
    async with reader.get("/1/checkin") as answer:
        assert (answer.status, await answer.json()) == (200, {"port": 9103})


async def test_matches_and_a_match_are_the_struct_as_it_stands(
    announced: MemoryBackend, reader: aiohttp.ClientSession
) -> None:
    match, version = await announced.match(MATCH_ID)
    async with reader.get("/1/matches") as answer:
        assert msgspec.json.decode(await answer.read(), type=Matches) == Matches((match,))
    async with reader.get(f"/1/match/{MATCH_ID}") as answer:
        assert await answer.read() == msgspec.json.encode(match)
        assert answer.headers["ETag"] == f'"{version}"'


async def test_a_history_names_its_match_and_keeps_the_order_of_details(
    announced: MemoryBackend, reader: aiohttp.ClientSession, script: Script
) -> None:
    events = tuple([await announced.post_event(MATCH_ID, step.post) for step in script.steps])
    async with reader.get(f"/1/match/{MATCH_ID}/history") as answer:
        raw = await answer.read()
    assert msgspec.json.decode(raw, type=History) == History(MATCH_ID, events)
    told = msgspec.json.decode(raw)["events"][1]
    assert list(told["details"].items()) == [
        ("player", {"number": 7, "name": "Luna"}),
        ("team", "tig"),
        ("comment", "1"),
    ]
    assert told["at"] == "2011-09-10T18:00:00Z"


async def test_statistics_are_the_backends(reader: aiohttp.ClientSession, backend: MemoryBackend) -> None:
    async with reader.get("/1/statistics") as answer:
        assert msgspec.json.decode(await answer.read(), type=Statistics) == statistics()
    async with reader.get("/1/statistics?actors=1&sort=memory") as answer:
        assert len((await answer.json())["actors"]) == 1
    assert backend.queries == [StatisticsQuery(20, Order.MAILBOX), StatisticsQuery(1, Order.MEMORY)]


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ("actors=many", "actors", "int"),
        ("actors=-1", "actors", ">= 0"),
        ("actors=1000", "actors", "<= 200"),
        ("sort=beauty", "sort", "say one of mailbox, messages, restarts, memory"),
        ("why=because", "why", "not known"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(
    reader: aiohttp.ClientSession, backend: MemoryBackend, query: str, field: str, told: str
) -> None:
    async with reader.get(f"/1/statistics?{query}") as answer:
        problem = await answer.json()
        assert (answer.status, problem["field"]) == (422, field)
    assert told in problem["error"]
    assert backend.queries == []


@pytest.mark.parametrize("body", [TEAM, {**TEAM, "id": "boc"}], ids=["id in the path only", "id in both"])
async def test_a_team_is_new_once_and_replaced_then(
    reporter: aiohttp.ClientSession, backend: MemoryBackend, body: dict[str, object]
) -> None:
    async with reporter.put("/1/team/boc", json=body) as answer:
        assert (answer.status, await answer.json()) == (201, {"id": "boc", **TEAM})
    async with reporter.put("/1/team/boc", json={**body, "name": "Boca Juniors"}) as answer:
        assert answer.status == 200
    assert backend.teams["boc"].name == "Boca Juniors"


async def test_a_match_is_announced_played_and_cancelled(
    announced: MemoryBackend, reporter: aiohttp.ClientSession
) -> None:
    async with reporter.post("/1/matches", json={"home": "tig", "visit": "elp", "date": "2012-02-29"}) as answer:
        assert answer.status == 201
        place = answer.headers["Location"]
        created = msgspec.json.decode(await answer.read(), type=Match)
    assert place == "/1/match/tig-elp-2012-02-29"
    start = {"kind": "start", "home_players": [7], "visit_players": [11]}
    async with reporter.post(f"{place}/events", json=start) as answer:
        assert answer.status == 201
        event = msgspec.json.decode(await answer.read(), type=Event)
    assert (event.seq, event.at, event.kind) == (1, AT, "start")
    assert (await announced.match(created.id))[0].seq == 1
    async with reporter.delete(place) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    async with reporter.get(place) as answer:
        assert answer.status == 404


async def test_head_is_get_without_the_body(announced: MemoryBackend, reader: aiohttp.ClientSession) -> None:
    async with reader.get(f"/1/match/{MATCH_ID}") as answer:
        length = len(await answer.read())
    async with reader.head(f"/1/match/{MATCH_ID}") as answer:
        assert (answer.status, int(answer.headers["Content-Length"])) == (200, length)
        assert await answer.read() == b""
    async with reader.head("/1/match/none") as answer:
        assert (answer.status, await answer.read()) == (404, b"")


@pytest.mark.parametrize("path", ["/1/checkin", "/1/match/none", "/nowhere", "/1/openapi.json"])
async def test_any_page_may_read_every_answer(reader: aiohttp.ClientSession, path: str) -> None:
    async with reader.get(path) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/1/checkin", "GET, HEAD, OPTIONS"),
        ("/1/matches", "GET, HEAD, OPTIONS, POST"),
        ("/1/match/x", "DELETE, GET, HEAD, OPTIONS"),
        ("/1/match/x/events", "OPTIONS, POST"),
        ("/1/team/x", "OPTIONS, PUT"),
    ],
)
async def test_a_browsers_preflight_allows_a_reporters_request(
    reader: aiohttp.ClientSession, path: str, methods: str
) -> None:
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with reader.options(path, headers=asked) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == methods
        allowed = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match"
        assert answer.headers["Access-Control-Allow-Headers"] == allowed
