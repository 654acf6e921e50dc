"""Servers that the harness knows only from a description."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.targets import one_fan
from harness.targets.custom import CustomTarget
from harness.targets.description import Description, check, load_description
from harness.targets.target import TargetError
from tests.harness.known_servers import KnownServer, Peer
from tests.harness.targets.news_server import NewsServer
from tests.harness.targets.trials import FANS, assert_everyone_got_everything, small_trial

LINES = """
address = "tcp://127.0.0.1:{lines}"
hello = 'SUB news {{user}}\\r\\n'
welcome_end = '\\n'
answer_end = '+OK\\r\\n'
mark = 'event #'
error_start = '-ERR'

[publish]
url = "http://127.0.0.1:{http}/news"
headers = {{ Content-Type = "text/plain" }}
body = "event #{{mark}} happened"
"""


def described(description: Description) -> CustomTarget:
    return CustomTarget(description.address, check(description, description.address))


def test_a_server_of_lines_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "news.toml"
    with NewsServer() as server:
        file.write_text(LINES.format(lines=server.lines, http=server.http))
        target = CustomTarget("news", check(load_description(file), str(file)))
        assert (target.name, target.publishes, target.variant, target.peer) == ("news", True, None, None)
        result = small_trial(target)
        assert_everyone_got_everything(result)
        assert len(set(server.users)) == FANS + 1  # with the one that tried
        assert target.ended() is None
        target.stop()
    asked = result.asked.target
    assert (asked.name, asked.fans) == ("news", (f"127.0.0.1:{server.lines}",))
    assert asked.http == f"http://127.0.0.1:{server.http}/news"
    assert result.server is not None  # its process was found by its port


def test_a_stream_by_its_url() -> None:
    with NewsServer() as server:
        target = described(Description(f"http://127.0.0.1:{server.http}/stream?user={{user}}"))
        result = small_trial(target)
        assert len(set(server.users)) == FANS + 1
        assert server.users[1].startswith(b"user=fan-")
    assert not target.publishes
    assert (result.seen.fans.served, result.seen.fans.failures) == (FANS, {})
    assert result.seen.response.art is not None
    assert result.seen.delivery is None
    assert result.verdict.met


def test_a_stream_with_events(tmp_path: Path) -> None:
    file = tmp_path / "stream.toml"
    with NewsServer() as server:
        url = f"http://127.0.0.1:{server.http}"
        file.write_text(f'address = "{url}/stream"\n[publish]\nurl = "{url}/news"\nbody = "#{{mark}}"\n')
        assert_everyone_got_everything(small_trial(CustomTarget("stream", check(load_description(file), str(file)))))


GREETING = Description(
    "nowhere:1", hello=r"V:1:CONNECT:{user}:\n", welcome_end=r"welcome\n", answer_end=r"ok\n", error_start="ERROR:"
)
Script = Callable[[Peer], None]


def silent(peer: Peer) -> None:
    peer.wait_until_gone()


def half(peer: Peer) -> None:
    peer.say(b"wel")
    peer.wait_until_gone()


def refusing(peer: Peer) -> None:
    peer.say(b"welcome\n")
    assert peer.hear_hello() == "fan"
    peer.say(b"ERROR: full\n")
    peer.wait_until_gone()


def leaving(peer: Peer) -> None:
    peer.say(b"welcome\n")
    peer.hear_hello()


def deaf(peer: Peer) -> None:
    peer.say(b"welcome\n")
    peer.wait_until_gone()


def breaking(peer: Peer) -> None:
    peer.say(b"welcome\n")
    peer.hear_hello()
    peer.reset()


def test_a_greeting_that_comes_late_is_not_taken_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_fan, "GREETING_WAIT_S", 0.05)
    monkeypatch.setattr(one_fan, "LATE_GREETING_WAIT_S", 60.0)  # until it has spoken, whoever has the machine
    asked = threading.Event()

    def late(peer: Peer) -> None:
        if server.number_of(peer) == 1:  # the one that asks; one came before to see whether anybody is there
            peer.hear_hello()
            asked.set()
        asked.wait(60)
        peer.say(b"welcome\n")
        peer.wait_until_gone()

    with KnownServer(late) as server:
        address = f"{server.endpoint.host}:{server.endpoint.port}"
        with pytest.raises(TargetError) as refused:
            described(Description(address, hello=r"V:1:CONNECT:{user}:\n")).start()
    assert str(refused.value).startswith(f"{address}: the server speaks first; it said 'welcome\\n': say how its")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (silent, r"the greeting does not end with 'welcome\n' within 0.5 s; it said nothing"),
        (half, r"the greeting does not end with 'welcome\n' within 0.5 s; it said 'wel'"),
        (deaf, r"the answer does not end with 'ok\n' within 0.5 s; it said nothing"),
        (leaving, r"the answer does not end with 'ok\n': the server closed; it said nothing"),
        (refusing, r"the answer is a refusal; it said 'ERROR: full\n'"),
        (breaking, r"the connection broke (Connection reset by peer)"),
    ],
)
def test_a_server_that_does_not_answer_as_described(script: Script, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_fan, "ANSWER_TIMEOUT_S", 0.5)
    with KnownServer(script) as server:
        address = f"{server.endpoint.host}:{server.endpoint.port}"
        target = described(msgspec.structs.replace(GREETING, address=address))
        with pytest.raises(TargetError) as refused:
            target.start()
    assert str(refused.value) == f"{address}: {says}"
    assert target.endpoints == ()


def test_fans_go_to_all_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def resolved(host: str, *words: Any, **more: Any) -> list[Any]:
        hosts = ("127.0.0.1", "127.0.0.2", "127.0.0.1") if host == "stream.example" else (host,)
        return [found for each in hosts for found in resolve(each, *words, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)

    def serving(peer: Peer) -> None:
        peer.serve()
        peer.wait_until_gone()

    with KnownServer(serving, host="0.0.0.0") as server:
        address = f"stream.example:{server.endpoint.port}"
        target = described(Description(address, r"V:1:CONNECT:{user}:\n", r"\n", r"\n\r\n"))
        result = small_trial(target)
    assert [at.host for at in target.endpoints] == ["127.0.0.1", "127.0.0.2"]
    assert result.seen.fans.served == FANS
