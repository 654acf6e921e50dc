"""A server behind the real nginx, with the configuration that `matchstream nginx` prints."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import aiohttp
import psutil
import pytest
from aiohttp import web
from typer.testing import CliRunner

from common.http.api import MAX_BODY_BYTES
from common.http.client import ApiError, ReporterClient
from common.tuning.open_files import OpenFiles
from stages.cli import app
from tests.stages.behind_nginx import behind, in_front_of, log, needs_nginx, printed, words
from tests.stages.fan import Fan
from tests.stages.front import HOST, Front, api_that, free_ports
from tests.stages.serving import TOKEN
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.serving import ServerProcess

FANS: Final = 10


def refused(*options: str) -> str:
    """Return the one line with which `matchstream nginx` refuses."""
    ended = CliRunner().invoke(app, ["nginx", *options])
    assert (ended.exit_code, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    return line


async def is_accepted(configuration: str, directory: Path) -> None:
    """Have `nginx -t` read a configuration; fail if it has a fault to find, or a warning."""
    file = directory / "nginx.conf"
    file.write_text(configuration)
    tests = await asyncio.create_subprocess_exec(*words("-t", "-c", file), stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(DEADLINE_S):
        _, stderr = await tests.communicate()
    assert tests.returncode == 0, stderr
    assert [line.split(f"{file} ")[-1] for line in stderr.decode().splitlines()] == [
        "syntax is ok",
        "test is successful",
    ]


@pytest.fixture
async def front(server: ServerProcess, tmp_path: Path) -> AsyncIterator[Front]:
    async with in_front_of(tmp_path, *behind(server)) as front:
        yield front


@pytest.fixture
async def api(front: Front) -> AsyncIterator[ReporterClient]:
    """Return a reporter who knows nginx only."""
    async with ReporterClient(front.url, TOKEN) as client:
        yield client


@pytest.fixture
def connect(front: Front) -> Connect:
    """Return what makes a fan who knows nginx only."""
    return lambda: Fan(front.fans)


@needs_nginx
async def test_a_match_is_seen_and_reported_through_nginx(connect: Connect, game: Game) -> None:
    async with connect() as fan:
        await fan.welcome()
        await fan.watch("fan", game.id)
        comments = [f"foul {number}" for number in range(50)]
        for comment in comments:
            await game.foul(comment)
        await game.stop()
        await fan.read_to_end()
    assert fan.kinds == ["status", *["foul"] * 50, "stop"]
    assert fan.told() == comments


@needs_nginx
async def test_a_fan_who_is_refused_is_told_why(connect: Connect) -> None:
    async with connect() as fan:
        await fan.greet("fan", "no-such-match")
        await fan.read_to_end()
    assert "no-such-match" in fan.errors[0]


@needs_nginx
async def test_fans_are_spread_evenly_over_the_ports(connect: Connect, server: ServerProcess, game: Game) -> None:
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(connect()) for _ in range(3 * len(server.fan_ports))]
        for fan in fans:
            await fan.watch("fan", game.id)
        assert held(server) == dict.fromkeys(server.fan_ports, 3)
        await game.stop()
        for fan in fans:
            await fan.read_to_end()
    await eventually(lambda: not held(server), "all connections to the server are closed")


@needs_nginx
async def test_a_fan_who_leaves_nginx_leaves_the_server(connect: Connect, server: ServerProcess, game: Game) -> None:
    for leave in (Fan.leave, Fan.reset):
        async with connect() as fan:
            await fan.watch("fan", game.id)
            assert held(server).total() == 1
            leave(fan)
            await eventually(lambda: not held(server), "the connection to the server is closed")


@needs_nginx
async def test_a_fan_takes_two_open_files_of_nginx(connect: Connect, game: Game, front: Front) -> None:
    workers = psutil.Process(front.pid).children()

    def files() -> int:
        return sum(worker.num_fds() for worker in workers)

    async with connect() as first:  # so that what nginx opens only once is open
        await first.watch("first", game.id)
        before = files()
        async with AsyncExitStack() as stack:
            for number in range(FANS):
                await (await stack.enter_async_context(connect())).watch(f"fan-{number}", game.id)
            await eventually(lambda: files() == before + 2 * FANS, "two open files a fan")


def held(server: ServerProcess) -> Counter[int]:
    """Return how many connections of fans a server has at each of its ports that has any."""
    first = psutil.Process(server.pid)
    return Counter(
        at.laddr.port
        for process in (first, *first.children(recursive=True))
        for at in process.net_connections("tcp")
        if at.status == psutil.CONN_ESTABLISHED and at.laddr.port in server.fan_ports
    )


@needs_nginx
async def test_what_the_api_refuses_is_refused_through_nginx_in_the_same_words(
    front: Front, server: ServerProcess, game: Game
) -> None:
    async def answers(url: str) -> list[tuple[int, str | None, str]]:
        found = []
        async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(DEADLINE_S)) as http:
            for token, body in (
                ("wrong", b'{"kind": "stop"}'),
                (TOKEN, b'{"kind": "sneeze"}'),
                (TOKEN, b" " * MAX_BODY_BYTES + b"{}"),
            ):
                headers = {"Authorization": f"Bearer {token}"}
                async with http.post(f"/1/match/{game.id}/events", data=body, headers=headers) as answer:
                    assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]
                    found.append(
                        (answer.status, answer.headers.get("WWW-Authenticate"), (await answer.json())["error"])
                    )
        return found

    through_nginx = await answers(front.url)
    assert [status for status, _, _ in through_nginx] == [401, 422, 413]
    assert through_nginx == await answers(server.url)


@needs_nginx
async def test_the_largest_body_passes(game: Game, front: Front) -> None:
    body = b'{"kind": "stop"}'.ljust(MAX_BODY_BYTES)
    async with (
        aiohttp.ClientSession(front.url, timeout=aiohttp.ClientTimeout(DEADLINE_S)) as http,
        http.post(f"/1/match/{game.id}/events", data=body, headers={"Authorization": f"Bearer {TOKEN}"}) as answer,
    ):
        assert answer.status == 201


@needs_nginx
async def test_checkin_hands_out_nginx(front: Front, server: ServerProcess) -> None:
    async with (
        aiohttp.ClientSession(front.url, timeout=aiohttp.ClientTimeout(DEADLINE_S)) as http,
        http.get("/1/checkin") as answer,
    ):
        handed_out = await answer.json()
    assert handed_out["server_port"] in server.fan_ports
    assert handed_out == {"port": front.fans[1], "server_port": handed_out["server_port"]}


@needs_nginx
async def test_dead_ports_are_passed_over(server: ServerProcess, tmp_path: Path) -> None:
    with free_ports(4) as dead:
        ports = [option for port in dead for name in ("--fans", "--http") for option in (name, f"{HOST}:{port}")]
        async with in_front_of(tmp_path, *ports, *behind(server)) as front, ReporterClient(front.url, TOKEN) as api:
            for _ in range(12):
                async with Fan(front.fans) as fan:
                    await fan.welcome()
                await api.matches()
                assert await api.checkin() == front.fans[1]
    assert "Connection refused" in log(tmp_path)


@needs_nginx
async def test_nobody_is_behind_nginx(tmp_path: Path) -> None:
    with free_ports(1) as (dead,):
        ports = ("--fans", f"{HOST}:{dead}", "--http", f"{HOST}:{dead}")
        async with in_front_of(tmp_path, *ports) as front, ReporterClient(front.url) as api:
            async with Fan(front.fans) as fan:
                await fan.read_to_end()
            assert fan.raw == b""
            for ask in (api.checkin, api.matches):
                with pytest.raises(ApiError, match="no server answers behind nginx") as away:
                    await ask()
                assert away.value.status == 503


@needs_nginx
async def test_a_post_that_got_no_answer_is_not_posted_again(tmp_path: Path) -> None:
    posts = 0

    async def vanish(request: web.Request) -> web.Response:
        nonlocal posts
        posts += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with (
        api_that(vanish) as apis,
        in_front_of(tmp_path, *http(apis)) as front,
        ReporterClient(front.url) as api,
    ):
        with pytest.raises(ApiError, match="read the match first"):
            await api.post_event("m", {"kind": "stop"})
    assert posts == 1


@needs_nginx
async def test_the_api_is_told_who_asks(tmp_path: Path) -> None:
    async def repeat(request: web.Request) -> web.Response:
        return web.json_response({name: request.headers[name] for name in ("Host", "X-Forwarded-For")})

    async with (
        api_that(repeat) as apis,
        in_front_of(tmp_path, *http(apis)) as front,
        aiohttp.ClientSession(front.url, timeout=aiohttp.ClientTimeout(DEADLINE_S)) as session,
        session.get("/", headers={"X-Forwarded-For": "192.0.2.1"}) as answer,
    ):
        told = await answer.json()
    assert told == {"Host": front.url.removeprefix("http://"), "X-Forwarded-For": f"192.0.2.1, {HOST}"}


def http(apis: Iterable[str]) -> list[str]:
    """Return the options that name where the API is."""
    return [option for at in apis for option in ("--http", at)]


ACCEPTED = {
    "the defaults": [],
    "IPv6": ["--fans", "[::1]:9999-10002", "--http", "[::1]:8888", "--host", "::1"],
    "all addresses": ["--host", "0.0.0.0"],
    "all addresses of both kinds": ["--host", "::", "--fans", "[::]:9999", "--http", "[::]:8888"],
    "several nodes": ["--fans", "127.0.0.1:9999-10002", "--fans", "127.0.0.2:9999-10002", "--fans", "127.0.0.1:9999"],
    "the same port elsewhere": ["--fans", "127.0.0.2:9990"],
    "a name to listen at": ["--host", "localhost", "--fans", "127.0.0.2:9990"],
    "thousands of ports": ["--fans", "localhost:10000-13000"],
    "few open files": ["--open-files", "1024"],
}


@needs_nginx
@pytest.mark.parametrize("options", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_nginx_accepts_the_configuration(tmp_path: Path, options: list[str]) -> None:
    await is_accepted(printed(*options, "--directory", str(tmp_path)), tmp_path)


@needs_nginx
async def test_a_directory_may_have_any_name(tmp_path: Path) -> None:
    directory = tmp_path / "a \"b\" 'c' \\d\\n ; {$e} #é"
    directory.mkdir()
    await is_accepted(printed("--directory", str(directory)), tmp_path)
    assert {path.name for path in directory.iterdir()} == {"nginx.pid", "nginx-error.log", "nginx-temp"}


def test_by_default_it_runs_where_it_was_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert f'pid "{tmp_path}/nginx.pid";' in printed()


def test_a_server_is_named_once() -> None:
    lines = printed("--fans", "127.0.0.1:1-2", "--fans", "127.0.0.1:2", "--http", "127.0.0.1:2").splitlines()
    assert Counter(line.split()[1] for line in lines if line.startswith("        server ")) == {
        "127.0.0.1:1": 1,
        "127.0.0.1:2": 2,
    }


def test_all_addresses_are_of_ipv4_and_ipv6() -> None:
    lines = [line.split() for line in printed("--host", "::", "--fans", "[::]:9999").splitlines()]
    assert [words[1:3] for words in lines if words[:1] == ["listen"]] == [
        ["[::]:9990", "ipv6only=off"],
        ["[::]:8880", "ipv6only=off"],
    ]
    assert ["server", "[::1]:9999"] in [words[:2] for words in lines]


REFUSED = {
    "no port": (["--fans", "localhost"], "HOST:PORT-PORT"),
    "ports that go backwards": (["--http", "localhost:2-1"], "lower one first"),
    "a host that would end the directive": (["--fans", "a;b:1"], "'a;b'"),
    "a host that would be a socket's path": (["--http", "unix:1"], "'unix'"),
    "a variable": (["--http", "$host:1"], "'$host'"),
    "nowhere to listen": (["--host", "a b"], "'a b:9990'"),
    "a path to listen at": (["--host", "unix"], "'unix'"),
    "one port for both": (["--listen-fans", "8880"], "--listen-http"),
    "its own server": (["--fans", "127.0.0.1:9980-9999"], "port 9990"),
    "its own server, at all addresses": (["--host", "::", "--http", "localhost:8880"], "port 8880"),
    "its own server, the other way round": (["--http", "127.0.0.1:9990"], "port 9990"),
}


@pytest.mark.parametrize(("options", "advice"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(options: list[str], advice: str) -> None:
    assert advice in refused(*options)


def test_open_files_are_what_is_allowed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for hard, expected in ((20_000, "20000"), (1 << 30, "65536")):
        monkeypatch.setattr(OpenFiles, "read", lambda hard=hard: OpenFiles(1024, hard))
        assert f"worker_rlimit_nofile {expected};" in printed()
    monkeypatch.setattr(OpenFiles, "read", lambda: OpenFiles(512, 512))
    assert "--open-files" in refused()
    assert "worker_connections 3744;" in printed("--open-files", "4000")
