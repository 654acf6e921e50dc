"""WebSocket servers that are none of this project's."""

from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from harness.load.workload import Load
from harness.show.progress import Silent
from harness.targets import one_fan
from harness.targets.custom import CustomTarget
from harness.targets.description import Description, Publish, check, load_description
from harness.targets.target import TargetError
from harness.trial.figures.slo import parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial
from tests.harness.targets.trials import FANS, assert_everyone_got_everything, small_trial
from tests.harness.targets.websocket_server import AiohttpServer, Greets, WebSocketServer, ready


def described(server: WebSocketServer, tmp_path: Path) -> CustomTarget:
    file = tmp_path / "live.toml"
    file.write_text(server.description())
    return CustomTarget("live", check(load_description(file), str(file)))


def by_url(server: WebSocketServer, *, has_token: bool = True) -> CustomTarget:
    headers = {"Authorization": "x"} if has_token else {}
    url = f"ws://127.0.0.1:{server.port}/"
    return CustomTarget(url, check(Description(url, hello="hi", answer_end="ready", headers=headers), url))


def test_everyone_hears_every_event_and_answers_pings(tmp_path: Path) -> None:
    with WebSocketServer() as server:
        assert_everyone_got_everything(small_trial(described(server, tmp_path)))
    assert len(server.users) == FANS + 1  # with the one that tried
    assert all(path.removeprefix("/live?as=") == hello.removeprefix("I am ") for path, hello in server.users)


def test_a_server_that_speaks_first_and_has_a_heartbeat() -> None:
    with AiohttpServer() as server:
        url = f"http://127.0.0.1:{server.port}"
        described = Description(
            f"ws{url.removeprefix('http')}/live",
            welcome_end="welcome",
            publish=Publish(f"{url}/news", "#{mark}"),
        )
        assert_everyone_got_everything(small_trial(CustomTarget("live", check(described, "live"))))
    assert set(server.codes) == {1001}


def test_the_code_and_the_reason_of_a_close_are_named(tmp_path: Path) -> None:
    async def close_fans(fan: ServerConnection, hello: str) -> None:
        await ready(fan, hello)
        if hello != "I am fan":  # whoever tries
            await fan.close(1011, "out of memory")

    with WebSocketServer(close_fans) as server:
        fans = small_trial(described(server, tmp_path)).seen.fans
    assert (fans.answered, fans.served, fans.failures) == (FANS, 0, {"close_1011 (out of memory)": FANS})


def test_a_close_in_good_order_before_the_end_is_named_too(tmp_path: Path) -> None:
    async def close_fans(fan: ServerConnection, hello: str) -> None:
        await ready(fan, hello)
        if hello != "I am fan":
            await fan.close(1001)

    with WebSocketServer(close_fans) as server:
        fans = small_trial(described(server, tmp_path)).seen.fans
    assert (fans.answered, fans.served, fans.failures) == (FANS, 0, {"close_1001": FANS})


async def silent(fan: ServerConnection, hello: str) -> None:
    await fan.wait_closed()


async def chatting(fan: ServerConnection, hello: str) -> None:
    await fan.send("wait")


async def leaving(fan: ServerConnection, hello: str) -> None:
    await fan.close(1013, "try again later")


@pytest.mark.parametrize(
    ("greets", "says"),
    [
        (silent, "the answer is no message with 'ready' within 0.5 s; it said 'HTTP/1.1 101 Switching Protocols"),
        (chatting, "the answer is no message with 'ready' within 0.5 s; it said "),
        (leaving, "closes with 1013 (try again later)"),
    ],
)
def test_a_server_that_does_not_answer_as_described(greets: Greets, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_fan, "ANSWER_TIMEOUT_S", 0.5)
    with WebSocketServer(greets) as server, pytest.raises(TargetError) as refused:
        by_url(server).start()
    assert str(refused.value).startswith(f"ws://127.0.0.1:{server.port}/: {says}")


def test_who_is_turned_away_is_told_why() -> None:
    with WebSocketServer() as server, pytest.raises(TargetError, match=r": closes with 1008 \(no token\)$"):
        by_url(server, has_token=False).start()


def test_a_path_that_is_no_websocket() -> None:
    with AiohttpServer() as server:
        url = f"ws://127.0.0.1:{server.port}/dead"
        target = CustomTarget(url, check(Description(url), url))
        with pytest.raises(TargetError, match=r"answers 404 Not Found; it said '404: Not Found"):
            target.start()


def test_the_servers_own_events_are_watched_while_the_fans_are_held() -> None:
    with WebSocketServer(ticks=True) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        described = Description(url, hello="hi", answer_end="ready", headers={"Authorization": "x"})
        plan = TrialPlan(Load(FANS, FANS), parse_slo("failures=0,spread_p99<60s"), None, hold_s=1.0)
        result = run_trial(plan, CustomTarget(url, check(described, url)), Silent())
    assert result.asked.hold_s == 1.0
    assert result.seen.events_phase_s >= 1.0
    assert result.seen.delivery is None
    own = result.seen.own
    assert own is not None
    assert own.fans == result.seen.fans.served == FANS
    assert own.heard >= own.by_all > 1
    assert own.spread is not None
    assert own.spread.count >= own.by_all
    assert result.verdict.met


@pytest.mark.parametrize("ack", ["posted", ""])
def test_events_are_posted_over_a_websocket_too(ack: str) -> None:
    with WebSocketServer() as server:
        url = f"ws://127.0.0.1:{server.port}/"
        token = {"Authorization": "x"}
        publish = Publish(url, "goal #{mark}", hello="I am the reporter", ack=ack, headers=token)
        described = Description(url, hello="hi", answer_end="ready", mark="goal #", headers=token, publish=publish)
        assert_everyone_got_everything(small_trial(CustomTarget(url, check(described, url))))
    assert ("/", "I am the reporter") in server.users
