import asyncio
import hmac

import aiohttp
import pytest

from tests.common.http.conftest import MATCH_ID, TOKEN
from tests.common.http.memory_backend import MemoryBackend

WRITES = [
    ("PUT", "/1/team/boc"),
    ("POST", "/1/matches"),
    ("POST", f"/1/match/{MATCH_ID}/events"),
    ("DELETE", f"/1/match/{MATCH_ID}"),
]


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, "Bearer"),
        ("", "Bearer"),
        ("Bearer", "Bearer"),
        (f"Basic {TOKEN}", "Bearer"),
        (TOKEN, "Bearer"),
        ("Bearer wrong", 'Bearer error="invalid_token"'),
        (f"Bearer {TOKEN}x", 'Bearer error="invalid_token"'),
        (f"Bearer {TOKEN[:-1]}", 'Bearer error="invalid_token"'),
        (f"Bearer {TOKEN} {TOKEN}", 'Bearer error="invalid_token"'),
        ("Bearer señor", 'Bearer error="invalid_token"'),
    ],
)
async def test_without_the_token_nothing_is_written(
    announced: MemoryBackend,
    reader: aiohttp.ClientSession,
    authorization: str | None,
    challenge: str,
) -> None:
    announced.calls.clear()
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in WRITES:
        async with reader.request(method, path, headers=headers, data=b"no json") as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == challenge
            assert (await answer.json())["error"]
    assert announced.calls == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_the_token_opens_whatever_the_case_of_its_scheme(
    announced: MemoryBackend, reader: aiohttp.ClientSession, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    async with reader.delete(f"/1/match/{MATCH_ID}", headers=headers) as answer:
        assert answer.status == 204


async def test_reading_needs_no_token_and_a_wrong_one_does_no_harm(reader: aiohttp.ClientSession) -> None:
    async with reader.get("/1/matches", headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 200


async def test_the_token_is_compared_in_constant_time(
    reader: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[object, object]] = []

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append((given, expected))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    # Were the token compared in another way as well, the right one would still open.
    for token in ("wrong", TOKEN):
        async with reader.delete("/1/match/x", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 401
    assert compared == [(b"wrong", TOKEN.encode()), (TOKEN.encode(), TOKEN.encode())]


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Content-Length: 100000000", "Transfer-Encoding: chunked"])
async def test_the_token_is_checked_before_the_body_comes(url: str, length: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"PUT /1/team/boc HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
    # Not a byte of the body is sent, so an answer cannot have waited for one.
    assert (await reader.readline()).split()[1] == b"401"
    writer.close()
    await writer.wait_closed()
