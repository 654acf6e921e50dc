"""The API on a real server: who may write, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from common.http.client import ApiError, ReporterClient
from tests.stages.at_rest import at_rest, files_besides_redis
from tests.stages.fan import Fan
from tests.stages.serving import TOKEN
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.stages.fan import Connect
    from tests.stages.game import Announce, Game
    from tests.stages.serving import ServerProcess

WRITES = [
    ("PUT", "/1/team/{home}"),
    ("POST", "/1/matches"),
    ("POST", "/1/match/{id}/events"),
    ("DELETE", "/1/match/{id}"),
]

REFUSED = {  # what is posted, and the status and the field of the refusal
    "no JSON": (b'{"kind": ', 400, None),
    "not UTF-8": (b'{"kind": "\xff"}', 400, None),
    "too large": (b'{"kind": "foul", "comment": "' + b"x" * 64 * 1024 + b'"}', 413, None),
    "an unknown kind": (b'{"kind": "sneeze"}', 422, "kind"),
    "no kind": (b"{}", 422, "kind"),
    "an unknown field": (b'{"kind": "stop", "why": "rain"}', 422, "why"),
    "a missing field": (b'{"kind": "goal", "player": 10}', 422, "team"),
    "a third team": (b'{"kind": "goal", "team": "boca", "player": 10}', 422, "team"),
    "not on the field": (b'{"kind": "card", "card": "red", "team": "HOME", "player": 12}', 422, "player"),
    "a wrong period": (b'{"kind": "halftime_stop"}', 422, "kind"),
    "two lines": (b'{"kind": "halftime_start", "comment": "a\\n\\r\\nb"}', 422, "comment"),
}


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session that sends nothing by itself."""
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(DEADLINE_S)) as session:
        yield session


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
async def test_who_has_no_token_may_read_but_not_write(
    http: aiohttp.ClientSession, api: ReporterClient, game: Game, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    before = await api.match(game.id)
    for method, path in WRITES:
        where = path.format(home=game.new.home, id=game.id)
        async with http.request(method, where, headers=headers, data=b'{"kind": "stop"}') as answer:
            assert answer.status == 401
            assert "token" in (await answer.json())["error"]
    async with http.get(f"/1/match/{game.id}", headers=headers) as answer:
        assert answer.status == 200
    assert await api.match(game.id) == before


@pytest.mark.parametrize(("body", "status", "field"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_refused_event_changes_nothing(  # noqa: PLR0917  # fixtures and parameters, by their names
    http: aiohttp.ClientSession, connect: Connect, game: Game, body: bytes, status: int, field: str | None
) -> None:
    async with connect() as fan:
        await fan.watch("fan", game.id)
        match, history = await game.api.match(game.id), await game.api.history(game.id)
        async with http.post(
            f"/1/match/{game.id}/events",
            data=body.replace(b"HOME", game.new.home.encode()),
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as answer:
            problem = await answer.json()
            assert answer.status == status
        assert problem["field"] == field
        assert "\n" not in problem["error"]
        assert await game.api.match(game.id) == match
        assert await game.api.history(game.id) == history
        await game.foul("next")
        await fan.read_events(1)
    assert fan.told() == ["next"]


async def test_an_unknown_match(api: ReporterClient) -> None:
    unknown = "no-such-2011-09-10"
    for request in (
        api.match(unknown),
        api.history(unknown),
        api.post_event(unknown, {"kind": "stop"}),
        api.cancel_match(unknown),
    ):
        with pytest.raises(ApiError) as refusal:
            await request
        assert refusal.value.status == 404
        assert unknown in refusal.value.message


async def test_a_match_that_exists_is_not_announced_again(api: ReporterClient, game: Game) -> None:
    before = await api.match(game.id)
    with pytest.raises(ApiError) as refusal:
        await api.create_match(game.new)
    assert refusal.value.status == 409
    assert await api.match(game.id) == before


async def test_a_match_needs_its_teams(api: ReporterClient, game: Game) -> None:
    with pytest.raises(ApiError) as refusal:
        await api.create_match(type(game.new)(game.new.home, "nobody", game.new.date))
    assert (refusal.value.status, refusal.value.field) == (422, "visit")


async def test_cancelling_tells_the_fans_and_leaves_nothing(connect: Connect, game: Game) -> None:
    async with connect() as one, connect() as two:
        await one.watch("one", game.id)
        await two.watch("two", game.id)
        await game.foul("heard by who is subscribed")
        for fan in (one, two):
            await fan.read_events(1)
        await game.foul("last words")
        await game.api.cancel_match(game.id)
        for fan in (one, two):
            await fan.read_to_end()
            assert fan.told() == ["heard by who is subscribed", "last words"]
            (error,) = fan.errors
            assert f"{game.id} was cancelled" in error
    for request in (game.api.match(game.id), game.api.history(game.id)):
        with pytest.raises(ApiError, match="404"):
            await request
    assert game.id not in [match.id for match in await game.api.matches()]
    again = await game.api.create_match(game.new)
    assert (again.seq, await game.api.history(game.id)) == (0, ())


async def test_a_cancelled_match_can_be_played_anew(connect: Connect, game: Game) -> None:
    await game.goal("of the first")
    await game.api.cancel_match(game.id)
    await game.api.create_match(game.new)
    await game.start()
    async with connect() as fan:
        await fan.watch("fan", game.id)
        await game.goal("of the second")
        await fan.read_events(1)
    assert (fan.told("visit_score"), fan.told()) == ([0], ["of the second"])


async def test_a_match_that_has_not_started_can_be_cancelled(announce: Announce) -> None:
    game = await announce("m")
    await game.api.cancel_match(game.id)
    with pytest.raises(ApiError, match="404"):
        await game.api.match(game.id)


async def test_checkin_names_a_port_where_fans_are_served(api: ReporterClient, server: ServerProcess) -> None:
    port = await api.checkin()
    assert port in server.fan_ports
    async with Fan((server.host, port)) as fan:
        await fan.welcome()


async def test_every_port_serves_fans_and_requests(server: ServerProcess, game: Game) -> None:
    for port in server.fan_ports:
        async with Fan((server.host, port)) as fan:
            await fan.watch("fan", game.id)
    for port in server.http_ports:
        async with ReporterClient(f"http://{server.host}:{port}") as client:
            assert (await client.match(game.id)).id == game.id


async def test_the_statistics_count_fans_by_their_processes_and_files(
    api: ReporterClient, connect: Connect, game: Game
) -> None:
    before = await at_rest(api, fans=0)
    async with connect() as fan:
        await fan.watch("fan", game.id)
        after = await at_rest(api, fans=1)
    assert sum(kind.alive for kind in after.kinds) > sum(kind.alive for kind in before.kinds)
    assert files_besides_redis(after) == files_besides_redis(before) + 1
    assert after.open_files.limit > 0


async def test_the_description_is_served(http: aiohttp.ClientSession) -> None:
    async with http.get("/1/openapi.json") as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        document = await answer.json()
    assert document["openapi"].startswith("3.")
    assert "/1/match/{id}/events" in document["paths"]
