"""`harness init` and `harness check`: somebody describes a server of their own, and sees whether that is right."""

import json
import re
import signal
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest

from harness.cli import main
from harness.commands.target_options import Whom, target_of
from harness.targets.brokers.target import BrokerTarget
from harness.targets.description import Description, check, load_description
from tests.harness.targets.news_server import NewsServer
from tests.harness.targets.stream_server import StreamServer
from tests.harness.targets.websocket_server import WebSocketServer

SETTINGS = re.compile(r"^(?:# )?([\w-]+ = .*|\[.*\])$", re.MULTILINE)
"""Of what is begun, all that is said and all that could be."""


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


def without_times(out: str) -> list[str]:
    return [line.partition(", after ")[0] for line in out.splitlines()]


@pytest.mark.parametrize(("kind", "secured"), [("sse", "https"), ("tcp", "tls"), ("ws", "wss")])
def test_what_is_begun_is_a_description(
    kind: str, secured: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", kind]) == 0
    begun = capsys.readouterr().out
    file = tmp_path / "my.toml"
    file.write_text(begun)
    check(load_description(file), "my.toml")
    with_all = "\n".join(SETTINGS.findall(begun))
    file.write_text(with_all)
    described = load_description(file)
    everything = {field.name for field in msgspec.structs.fields(Description) if getattr(described, field.name)}
    assert {"address", "mark", "error_start", "ca", "insecure", "publish"} <= everything
    address = f"{secured}://{described.address.partition('://')[2]}"
    check(msgspec.structs.replace(described, address=address, insecure=False, vars=None), "my.toml")
    for text in (begun, with_all):
        jsonschema.validate(tomllib.loads(text), schema(capsys))


def test_so_is_that_of_a_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "mqtt"]) == 0
    file = tmp_path / "my.toml"
    file.write_text(capsys.readouterr().out)
    assert isinstance(target_of(Whom(at=str(file))), BrokerTarget)
    jsonschema.validate(tomllib.loads(file.read_text()), schema(capsys))
    file.write_text(f"{file.read_text()}mark = 'event #'\n")
    assert main(["check", str(file)]) == 2
    says = f"{file}: mark: how fans and reporter speak to a broker is known: leave it out"
    assert says in capsys.readouterr().err


def schema(capsys: pytest.CaptureFixture[str]) -> object:
    assert main(["schema", "description"]) == 0
    return json.loads(capsys.readouterr().out)


def test_there_is_no_such_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "gopher"]) == 2
    assert capsys.readouterr().err == "harness: there is no kind of server 'gopher': give one of mqtt, sse, tcp, ws\n"


def test_what_was_said_heard_and_recognised_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "live.toml"
    with WebSocketServer() as server:
        file.write_text(server.description())
        assert main(["check", "--target", str(file)]) == 0
    lines = without_times(capsys.readouterr().out)
    assert lines[0] == r"fan    > GET /live?as=fan HTTP/1.1\r\n"
    assert r"fan    > Authorization: Bearer fan\r\n" in lines
    agreed = lines.index(r"server < HTTP/1.1 101 Switching Protocols\r\n")
    talk = [line for line in lines[agreed:] if not line.endswith(r"\r\n") and "PING" not in line and "PONG" not in line]
    assert talk == [
        "fan    > TEXT 'I am fan' [8 bytes]",
        "server < TEXT 'ready' [5 bytes]",
        "        = the answer",
        "server < TEXT 'a goal #1' [9 bytes]",
        "        = event 1",
        "fan    > CLOSE 1001 (going away) [2 bytes]",
        "the answer and an event were recognised: measure it, for example with -N 100 -C 10",
    ]


def test_a_mark_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "live.toml"
    with WebSocketServer() as server:
        file.write_text(server.description("goal: "))
        assert main(["check", "--target", str(file), "--listen", "0.5"]) == 1
    out = capsys.readouterr().out
    assert "server < TEXT 'a goal #1' [9 bytes]" in out
    assert out.endswith("no event was recognised within 0.5 s: is `mark` what stands before its number?\n")


def test_what_was_said_is_shown_where_it_is_not_as_described(capsys: pytest.CaptureFixture[str]) -> None:
    with NewsServer() as server:
        address = f"tcp://127.0.0.1:{server.lines}"
        words = ("--hello", r"SUB\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n", "--error", "-ERR")
        assert main(["check", "--target", address, *words]) == 2
    said = capsys.readouterr()
    assert without_times(said.out) == [
        r"server < news v1\n",
        "        = the greeting",
        r"fan    > SUB\r\n",
        r"server < -ERR what?\r\n",
    ]
    assert said.err == f"harness: {address}: the answer is a refusal; it said '-ERR what?\\r\\n'\n"


@pytest.mark.parametrize("whom", [("--stage", "0"), ("--target", "127.0.0.1:1")])
def test_this_projects_own_servers_need_no_check(whom: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *whom]) == 2
    assert "check plays a fan of somebody else's server" in capsys.readouterr().err


def test_a_number_with_which_a_message_ends_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lines.toml"
    with StreamServer(lambda _: b"", lambda news: [b"goal #%b" % news]) as server:
        file.write_text(
            f"address = 'tcp://127.0.0.1:{server.port}'\nhello = 'SUB\\n'\n[publish]\nbody = '{{mark}}'\n"
            f"url = 'http://127.0.0.1:{server.port}/news'\n"
        )
        assert main(["check", "--target", str(file), "--listen", "0.5"]) == 0
    lines = without_times(capsys.readouterr().out)
    assert lines[1:] == [
        r"server < +OK\n",
        "        = the answer",
        "server < goal #1",
        "        = event 1",
        "the answer and an event were recognised: measure it, for example with -N 100 -C 10",
    ]
