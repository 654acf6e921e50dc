"""Whom the options of the commands ask for."""

from pathlib import Path

import pytest

from harness.commands.options import AskedError
from harness.commands.target_options import Whom, target_of
from harness.load.workload import Dialogue, Heartbeat, Tls
from harness.targets.address import AddressTarget
from harness.targets.brokers.target import BrokerTarget
from harness.targets.custom import CustomTarget
from harness.targets.peers.target import PeerTarget
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError


@pytest.mark.parametrize(
    ("whom", "kind", "name"),
    [
        (Whom("0"), StageTarget, "stage 0"),
        (Whom(None, address="h:1"), AddressTarget, "h:1"),
        (Whom(None, address="tcp://h:1", hello="x"), CustomTarget, "tcp://h:1"),
        (Whom(None, address="h:1", hello="x"), CustomTarget, "h:1"),
        (Whom(None, address="http://h/stream"), CustomTarget, "http://h/stream"),
        (Whom(None, address="wss://me:secret@h/live?x=@y"), CustomTarget, "wss://h/live?x=@y"),
        (Whom(None, at="ws://h/live"), CustomTarget, "ws://h/live"),
        (Whom(None, address="redis://:secret@h/news"), BrokerTarget, "redis://h:6379/news"),
        (Whom(None, peer="redis"), PeerTarget, None),
    ],
)
def test_what_is_measured(whom: Whom, kind: type, name: str | None) -> None:
    target = target_of(whom)
    assert type(target) is kind
    assert name is None or target.name == name


def test_the_dialogue_of_the_options() -> None:
    whom = Whom(None, address="h:1", hello=r"x\n", welcome="w", answer="a", mark="m", error="e")
    assert target_of(whom).dialogue(None) == Dialogue(b"x\n", b"w", b"a", b"m", b"e")
    whom = Whom(None, address="tls://h:1", hello="x", ping="p", pong="q", ca=Path("ca.pem"))
    tls, heartbeat = Tls("h", Path("ca.pem")), Heartbeat(b"p", b"q")
    assert target_of(whom).dialogue(None) == Dialogue(b"x", b"", b"\n", b"#", b"", heartbeat=heartbeat, tls=tls)
    whom = Whom(None, address="ws://h", header=["Cookie: a=b: c", "Origin:x"], insecure=False)
    assert target_of(whom).dialogue(None).hello.endswith(b"\r\nCookie: a=b: c\r\nOrigin: x\r\n\r\n")


def test_a_file_names_the_target(tmp_path: Path) -> None:
    file = tmp_path / "my-server.toml"
    file.write_text("address = 'h:1'\nhello = 'x'\n")
    assert target_of(Whom(None, address=str(file))).name == "my-server"
    with pytest.raises(AskedError, match=r"^--mark: .*my-server\.toml describes the server, so write it there$"):
        target_of(Whom(None, address=str(file), mark="x"))


@pytest.mark.parametrize(
    ("whom", "says"),
    [
        (Whom(None), "whom to measure?"),
        (Whom("0", peer="redis"), "give --stage or --peer, not both"),
        (Whom(None, address="h:1", peer="redis"), "give --peer or --target, not both"),
        (Whom("0", http="http://h"), "--http goes with --target, not with --stage"),
        (Whom("0", hello="x"), "--hello goes with --target, not with --stage"),
        (Whom(None, peer="redis", nodes=2), "--nodes goes with --stage, not with --peer"),
        (Whom(None, peer="redis", error="x"), "--error goes with --target, not with --peer"),
        (Whom(None, address="h:1", at="h:2"), "give h:2 or --target h:1, not both"),
        (Whom("0", at="h:2"), "give --stage or --target, not both"),
        (Whom("0", insecure=True), "--insecure goes with --target, not with --stage"),
        (Whom(None, address="ws://h", header=["Cookie"]), "--header 'Cookie' is none: write 'Name: value'"),
        (Whom(None, address="ws://h", header=["a b: c"]), "--header 'a b: c' is none"),
        (Whom(None, address="ws://h", header=["a: b\nc: d"]), r"--header 'a: b\nc: d' is none"),
        (Whom(None, address="tcp://h:1", hello="x", ping="p"), "--ping and --pong go together"),
        (Whom(None, address="redis://h/news", mark="x"), "--mark: how fans and reporter speak to a broker is known"),
        (Whom(None, address="tcp://h:1", hello="x", http="http://h"), "--http is the API of this project's servers"),
    ],
)
def test_options_that_do_not_go_together(whom: Whom, says: str) -> None:
    with pytest.raises(AskedError) as refused:
        target_of(whom)
    assert str(refused.value).startswith(says)


def test_a_fan_that_has_nothing_to_say() -> None:
    with pytest.raises(TargetError, match=r"^tcp://h:1: what does a fan say there\? give --hello"):
        target_of(Whom(None, address="tcp://h:1"))
