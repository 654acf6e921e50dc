from dataclasses import dataclass, field, replace

import pytest

from common.clock import Clock
from common.domain.events import Event
from common.domain.posts import Corner, Goal
from common.domain.script import Script, Step
from common.http.client import ApiError, ApiUnreachableError, ReporterClient
from common.http.play import ScriptConflictError, StepRefusedError, play_script
from common.store.errors import ConflictError, StoreUnavailableError
from tests.common.http.conftest import MATCH_ID, TOKEN
from tests.common.http.memory_backend import MemoryBackend


@dataclass
class VirtualTime:
    """Time that passes only when someone sleeps."""

    seconds: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.sleep)


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


def kinds(backend: MemoryBackend) -> list[str]:
    return [event.kind for event in backend.stored[MATCH_ID][1]]


WHOLE = ["start", "goal", "card", "stop"]
CHECKIN_AND_TEAMS = (None, None, None)  # calls that succeed before the one that fails


async def test_a_script_is_announced_and_played_a_minute_a_second(
    client: ReporterClient, backend: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    told: list[tuple[float, str, float]] = []

    def tell(step: Step, event: Event) -> None:
        told.append((step.minute, event.kind, time.seconds - 1000))

    await play_script(client, script, on_event=tell, clock=time.clock)
    assert told == [(0, "start", 0), (5, "goal", 5), (18.5, "card", 18.5), (110, "stop", 110)]
    assert kinds(backend) == WHOLE
    assert sorted(backend.teams) == ["elp", "tig"]


async def test_speed_is_a_multiple_of_real_time(
    client: ReporterClient, backend: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    await play_script(client, script, speed=6600, clock=time.clock)
    assert time.seconds == pytest.approx(1001)
    with pytest.raises(ValueError, match="more than 0"):
        await play_script(client, script, speed=0, clock=time.clock)
    assert kinds(backend) == WHOLE


async def test_what_delays_one_event_delays_no_other(client: ReporterClient, script: Script, time: VirtualTime) -> None:
    at: list[float] = []

    def be_slow(_step: Step, _event: Event) -> None:
        at.append(time.seconds - 1000)
        time.seconds += 10

    await play_script(client, script, on_event=be_slow, clock=time.clock)
    assert at == [0, 10, 20, 110]


async def test_a_match_that_is_there_is_not_touched_unless_it_may_be_replaced(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    await announced.post_event(MATCH_ID, script.steps[0].post)
    with pytest.raises(ScriptConflictError, match=MATCH_ID):
        await play_script(client, script, clock=time.clock)
    assert kinds(announced) == ["start"]
    await play_script(client, script, replace=True, clock=time.clock)
    assert kinds(announced) == WHOLE


async def test_a_match_that_was_announced_by_others_can_be_played(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    announced.calls.clear()
    await play_script(client, script, announce=False, clock=time.clock)
    assert kinds(announced) == WHOLE
    assert "create_match" not in announced.calls
    assert "put_team" not in announced.calls


async def test_in_a_loop_the_match_is_cancelled_and_played_again(
    client: ReporterClient, backend: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    ends: list[float] = []

    def stop_after_three(_step: Step, event: Event) -> None:
        if event.ends_match:
            ends.append(time.seconds - 1000)
        if len(ends) == 3:
            raise EOFError

    with pytest.raises(EOFError):
        await play_script(client, script, loop=True, on_event=stop_after_three, clock=time.clock)
    assert ends == [110, 220, 330]
    assert kinds(backend) == WHOLE
    assert backend.calls.count("cancel_match") == 2


async def test_a_store_that_is_away_is_waited_for_ever_longer(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    def fail_next(_step: Step, event: Event) -> None:
        if event.seq == 1:
            announced.failures.extend([StoreUnavailableError("down")] * 9)

    await play_script(client, script, announce=False, on_event=fail_next, clock=time.clock)
    assert kinds(announced) == WHOLE
    assert time.slept[:10] == pytest.approx([5, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])


@pytest.mark.parametrize("error", [StoreUnavailableError(), ConflictError()])
@pytest.mark.parametrize("where", ["lost", "failures"])
async def test_an_event_whose_fate_is_unknown_is_stored_once(
    client: ReporterClient, announced: MemoryBackend, script: Script, error: Exception, where: str
) -> None:
    def break_next(_step: Step, _event: Event) -> None:
        getattr(announced, where).append(error)

    steps = (*script.steps[:1], *(Step(1, Corner(team="tig")) for _ in range(3)), script.steps[-1])
    clock = VirtualTime().clock
    await play_script(client, replace(script, steps=steps), announce=False, on_event=break_next, clock=clock)
    assert kinds(announced) == ["start", "corner", "corner", "corner", "stop"]


async def test_an_event_of_another_reporter_is_not_taken_for_ones_own(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    def fail_next(_step: Step, event: Event) -> None:
        if event.seq == 1:
            announced.failures.append(StoreUnavailableError())

    async def be_overtaken(seconds: float) -> None:
        await time.sleep(seconds)
        if kinds(announced) == ["start"] and not announced.failures:
            await announced.post_event(MATCH_ID, Goal(team="tig", player=7, comment="of another"))

    clock = Clock(lambda: time.seconds, be_overtaken)
    await play_script(client, script, announce=False, on_event=fail_next, clock=clock)
    assert kinds(announced) == ["start", "goal", "goal", "card", "stop"]
    assert [event.details.get("comment") for event in announced.stored[MATCH_ID][1][1:3]] == ["of another", "1"]


async def test_an_announcement_whose_answer_was_lost_is_not_taken_for_a_conflict(
    client: ReporterClient, backend: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    backend.lost.append(StoreUnavailableError())
    await play_script(client, script, clock=time.clock)
    assert kinds(backend) == WHOLE


async def test_a_match_that_is_under_way_is_a_conflict_even_after_a_failure(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    await announced.post_event(MATCH_ID, script.steps[0].post)
    announced.failures.extend([*CHECKIN_AND_TEAMS, StoreUnavailableError()])
    with pytest.raises(ScriptConflictError):
        await play_script(client, script, clock=time.clock)
    assert kinds(announced) == ["start"]


async def test_an_event_that_the_server_refuses_ends_the_play_and_is_named(
    client: ReporterClient, backend: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    late = replace(script, steps=script.steps[1:])
    with pytest.raises(StepRefusedError, match=r"^minute 5, goal: .*not_started[^\n]*$"):
        await play_script(client, late, clock=time.clock)
    assert kinds(backend) == []


async def test_a_team_or_a_token_that_is_refused_is_told_at_once(
    url: str, backend: MemoryBackend, script: Script, time: VirtualTime
) -> None:
    async with ReporterClient(url, f"{TOKEN}x") as stranger:
        with pytest.raises(ApiError, match="token"):
            await play_script(stranger, script, clock=time.clock)
    assert time.slept == []
    assert backend.teams == {}


@pytest.mark.parametrize("replace_it", [True, False])
async def test_what_nobody_can_help_ends_the_play(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime, replace_it: bool
) -> None:
    announced.failures.extend([*CHECKIN_AND_TEAMS, ZeroDivisionError()])
    with pytest.raises(ApiError, match="500"):
        await play_script(client, script, replace=replace_it, clock=time.clock)
    assert time.slept == []


async def test_a_server_that_was_never_there_gets_no_patience(script: Script, time: VirtualTime) -> None:
    async with ReporterClient("http://127.0.0.1:1", TOKEN) as client:
        with pytest.raises(ApiUnreachableError):
            await play_script(client, script, clock=time.clock)
    assert time.slept == []


async def test_a_server_that_goes_away_gets_five_minutes(
    client: ReporterClient, announced: MemoryBackend, script: Script, time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **_terms: object) -> None:
        raise ApiUnreachableError("gone")

    def go_away(_step: Step, _event: Event) -> None:
        monkeypatch.setattr(client, "post_event", gone)

    with pytest.raises(ApiUnreachableError, match="gone"):
        await play_script(client, script, announce=False, on_event=go_away, clock=time.clock)
    assert time.seconds == pytest.approx(1005 + 300)
    assert kinds(announced) == ["start"]
