"""The headers that have a write made once, and only on what the reporter knows."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.events import Event
from common.domain.posts import Post
from common.http.answers import Problem
from common.http.terms import EXPECTED_PATTERN, KEY_PATTERN, MAX_KEY, TermsError, parse_expected, parse_key
from common.store.terms import PLAIN, Terms
from tests.common.http.conftest import BEARER, MATCH_ID, serving
from tests.common.http.memory_backend import MemoryBackend

EVENTS = f"/1/match/{MATCH_ID}/events"
START = {"kind": "start", "home_players": [25], "visit_players": [7]}
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=MAX_KEY)


@given(PRINTABLE)
def test_a_string_is_read_as_it_was_meant(key: str) -> None:
    quoted = key.replace("\\", r"\\").replace('"', r"\"")
    assert parse_key([f'"{quoted}"']) == key


@pytest.mark.parametrize("word", ["8e03978e-40d5-43dd-bc93", "a", "!#$%&'*+-.^_`|~:/=?@[]{}", "x" * MAX_KEY])
def test_a_bare_word_is_the_string_of_the_same_characters(word: str) -> None:
    assert parse_key([word]) == parse_key([f'"{word}"']) == parse_key([f' "{word}"\t']) == word


@pytest.mark.parametrize(
    "given",
    [
        [""],
        ['""'],
        ['"'],
        ['"a'],
        ['a"'],
        ['"a"b"'],
        ['"a", "b"'],
        ["a, b"],
        ["a b"],
        ['"a";p=1'],
        ['"a\\"'],
        ['"\\x"'],
        ['"\u00e9"'],
        ["\u00e9"],
        ['"\x7f"'],
        ["x" * (MAX_KEY + 1)],
        ['"' + "x" * (MAX_KEY + 1) + '"'],
        ["a", "a"],
    ],
)
def test_what_is_no_key_is_refused_in_one_line(given: list[str]) -> None:
    with pytest.raises(TermsError, match=r"^write one key, a string of 1 to 128 ASCII characters: [^\n]*$") as caught:
        parse_key(given)
    assert caught.value.field == "Idempotency-Key"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ()),
        (["*"], ()),
        ([' "7" '], ("7",)),
        (['"7-1315681200000000"'], ("7-1315681200000000",)),
        (['"6", "7"'], ("6", "7")),
        (['"6"', '"7"'], ("6", "7")),
        (['"6"\t,\t"7"'], ("6", "7")),
        (['W/"7"'], ("W/7",)),
        (['"a,b"'], ("a,b",)),
        (['""'], ("",)),
    ],
)
def test_what_is_expected_is_a_list_of_tags(given: list[str], expected: tuple[str, ...]) -> None:
    assert parse_expected(given) == expected


@pytest.mark.parametrize("given", ["", "7", '"7', '"7" "8"', '"a b"', '*, "7"', '"7",', '"\u00e9"', 'w/"7"'])
def test_what_is_no_list_of_tags_is_refused_in_one_line(given: str) -> None:
    with pytest.raises(TermsError, match=r"^If-Match is the ETag of the match[^\n]*$") as caught:
        parse_expected([given])
    assert caught.value.field == "If-Match"


@given(st.one_of(st.text(), st.from_regex(KEY_PATTERN), st.from_regex(EXPECTED_PATTERN)))
def test_whatever_comes_is_read_or_refused(value: str) -> None:
    for parse in (parse_key, parse_expected):
        with suppress(TermsError):
            parse([value])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/1/team/boc", {"name": "Boca", "players": [{"number": 9, "name": "Palermo"}]}),
        ("POST", "/1/matches", {"home": "tig", "visit": "elp", "date": "2011-09-10"}),
        ("POST", EVENTS, START),
        ("DELETE", f"/1/match/{MATCH_ID}", None),
    ],
)
async def test_what_is_asked_for_again_under_its_key_is_answered_as_it_was(
    announced: MemoryBackend, reporter: aiohttp.ClientSession, method: str, path: str, body: object
) -> None:
    async def ask(key: str, said: object = body) -> tuple[int, bytes]:
        headers = {"Idempotency-Key": key}
        data = None if said is None else msgspec.json.encode(said)
        async with reporter.request(method, path, data=data, headers=headers) as answer:
            return answer.status, await answer.read()

    status, answered = await ask('"k-1"')
    assert status in {201, 204}
    before = dict(announced.stored), dict(announced.teams)
    assert await ask('"k-1"') == await ask("k-1") == (status, answered)
    assert (announced.stored, announced.teams) == before
    if body is not None:
        reordered = dict(reversed([*msgspec.to_builtins(body).items()]))
        assert await ask('"k-1"', reordered) == (status, answered)  # it says the same


async def test_another_request_under_a_key_is_refused(
    announced: MemoryBackend, reporter: aiohttp.ClientSession
) -> None:
    async with reporter.post(EVENTS, json=START, headers={"Idempotency-Key": "k"}) as answer:
        assert answer.status == 201
    async with reporter.post(EVENTS, json={"kind": "stop"}, headers={"Idempotency-Key": "k"}) as answer:
        problem = msgspec.json.decode(await answer.read(), type=Problem)
        assert (answer.status, problem.field) == (422, "Idempotency-Key")
    assert len(announced.stored[MATCH_ID][1]) == 1


async def test_a_key_of_one_cancellation_is_not_that_of_another(
    announced: MemoryBackend, reporter: aiohttp.ClientSession
) -> None:
    async with reporter.post("/1/matches", json={"home": "tig", "visit": "elp", "date": "2011-09-10"}) as answer:
        other = (await answer.json())["id"]
    for match_id, status in ((MATCH_ID, 204), (other, 422), (MATCH_ID, 204)):
        async with reporter.delete(f"/1/match/{match_id}", headers={"Idempotency-Key": "k"}) as answer:
            assert answer.status == status
    assert [*announced.stored] == [other]


class SlowBackend(MemoryBackend):
    """Works on an event until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def post_event(self, match_id: str, post: Post, terms: Terms = PLAIN) -> Event:
        self.begun.set()
        await self.go_on.wait()
        return await super().post_event(match_id, post, terms)


async def test_a_request_that_is_still_worked_on_is_to_be_asked_for_later(announced: MemoryBackend) -> None:
    backend = SlowBackend()
    backend.teams, backend.stored = announced.teams, announced.stored
    keyed, other = {**BEARER, "Idempotency-Key": "k"}, {**BEARER, "Idempotency-Key": "other"}

    async def post(session: aiohttp.ClientSession, headers: Mapping[str, str]) -> tuple[int, str | None]:
        async with session.post(EVENTS, json=START, headers=headers) as answer:
            return answer.status, answer.headers.get("Retry-After")

    async with serving(backend) as url, aiohttp.ClientSession(url) as session:
        first = asyncio.create_task(post(session, keyed), name="first")
        await backend.begun.wait()
        assert await post(session, keyed) == (409, "1")
        others = asyncio.create_task(post(session, other), name="under another key")
        backend.go_on.set()
        assert await first == (201, None)
        assert await post(session, keyed) == (201, None)
        assert (await others)[0] == 422  # the match has begun already


@pytest.mark.parametrize(
    ("tags", "status"), [('"0"', 201), ('"1", "0"', 201), ("*", 201), ('"1"', 412), ('W/"0"', 412)]
)
async def test_an_event_counts_only_on_the_version_that_is_expected(
    announced: MemoryBackend, reporter: aiohttp.ClientSession, tags: str, status: int
) -> None:
    async with reporter.post(EVENTS, json=START, headers={"If-Match": tags}) as answer:
        assert answer.status == status
    assert len(announced.stored[MATCH_ID][1]) == (1 if status == 201 else 0)


@pytest.mark.parametrize("header", ["Idempotency-Key", "If-Match"])
async def test_a_header_that_cannot_be_read_is_a_400_that_names_it(
    announced: MemoryBackend, reporter: aiohttp.ClientSession, header: str
) -> None:
    async with reporter.post(EVENTS, json=START, headers={header: '"a'}) as answer:
        problem = msgspec.json.decode(await answer.read(), type=Problem)
        assert (answer.status, problem.field) == (400, header)
    assert announced.stored[MATCH_ID][1] == []
