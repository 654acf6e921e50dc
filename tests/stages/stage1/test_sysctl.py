"""A server names the kernel settings that are short, and serves whatever it finds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from common.tuning.profile import ProfileError
from tests.stages.in_process.running import play_on, watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.tuning.profile import Profile
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

SHORT = ("net.core.somaxconn is 128, not at least 65535", "fs.nr_open is 1024, not at least 1048576")


def shortfalls(profile: Profile) -> tuple[str, ...]:
    assert profile.name == "server"
    return SHORT


def none_short(profile: Profile) -> tuple[str, ...]:
    del profile
    return ()


def no_profiles(name: str) -> Profile:
    raise ProfileError(f"no profile {name} here")


@pytest.fixture(params=["short", "well", "no profiles"])
def found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what the server is going to find."""
    found: str = request.param
    checks: dict[str, Callable[[Profile], tuple[str, ...]]] = {"short": shortfalls, "well": none_short}
    monkeypatch.setattr("stages.stage1.sysctl.shortfalls", checks.get(found, shortfalls))
    if found == "no profiles":
        monkeypatch.setattr("stages.stage1.sysctl.load_profile", no_profiles)
    return found


async def test_it_says_what_is_short(
    found: str, running: Running, connect: Connect, game: Game, caplog: pytest.LogCaptureFixture
) -> None:
    said = [
        record.getMessage()
        for record in caplog.get_records("setup")
        if record.name == "stages.stage1.sysctl" and record.levelno == logging.WARNING
    ]
    expected = {
        "short": [f"kernel settings are short of server: {', '.join(SHORT)}; as root: harness tune apply"],
        "well": [],
        "no profiles": ["kernel settings were not checked: no profile server here"],
    }
    assert said == expected[found]
    assert running.stage.has("sysctl")
    async with watching(connect, game, "one") as fans:
        await play_on(game, fans)
