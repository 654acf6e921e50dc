"""Match scripts: files people write in TOML, checked by playing them through the rules before anyone posts them.

    [teams.elp]                         # one table a team: its name, and its squad by shirt number
    name = "Estudiantes de La Plata"
    players = { 25 = "Albil", 14 = "Mercado" }

    [match]
    home = "elp"
    visit = "tig"
    date = 2011-09-10
    events = [                          # each is what a reporter posts, and the minute at which it happens
        { minute = 0, kind = "start", home_players = [25, 14], visit_players = [12, 13] },
        { minute = 5, kind = "goal", team = "tig", player = 12 },
    ]

TOML itself allows the long form `[[match.events]]`, too.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

from common.domain import rules
from common.domain.decode import to_new_match, to_post, to_team
from common.domain.errors import DomainError
from common.domain.match import NewMatch, Team
from common.domain.posts import Post

SAMPLE: Final = "elp-tig-2011-09-10"
"""The match that comes along: Estudiantes - Tigre."""

MAX_MINUTE: Final = 100_000  # two months; more is a slip

_MINUTE: Final = re.compile(r"(?:[^#]*[{,])?\s*minute\s*=")


class ScriptError(Exception):
    """The script cannot be read or played; the message says on one line where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))  # a quoted key may hold a line feed


@dataclass(frozen=True, slots=True)
class Step:
    """An event to post, `minute` minutes after kick-off (finite, not negative, never before the step before it)."""

    minute: float
    post: Post


@dataclass(frozen=True, slots=True)
class Script:
    """A match that can be played: the rules accept its steps in this order. It need not reach its end."""

    teams: tuple[Team, ...]
    match: NewMatch
    steps: tuple[Step, ...]


def load_script(path_or_name: str | Path) -> Script:
    """Return the script in a file or, where there is no such file, the bundled one of that name.

    Raise ScriptError, which names the file, when there is neither, it cannot be read, or it is no script.
    """
    path = Path(path_or_name)
    try:
        return parse_script(path.read_text("utf-8-sig") if path.exists() else _bundled(path))
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read: {error.strerror}; give the path of a match script") from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}: is not a text in UTF-8; give the path of a match script") from error
    except ScriptError as error:
        raise ScriptError(f"{path}: {error}") from error


def parse_script(text: str) -> Script:
    """Return the script that a TOML text holds. Raise ScriptError when it is none or the rules refuse it."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # syntax, a number of thousands of digits, thousands of brackets
        raise ScriptError(f"this is not TOML: {error}") from error
    _only(document, {"teams", "match"}, "the script")
    table = _table(document.get("match"), "match")
    teams = tuple(_team(key, value) for key, value in _table(document.get("teams"), "teams").items())
    try:
        new = to_new_match({key: value for key, value in table.items() if key != "events"})
    except DomainError as error:
        raise ScriptError(f"match: {error}") from error
    events = table.get("events")
    if not isinstance(events, list) or not events:
        raise ScriptError('match.events: is missing or empty; list the events, the first with kind = "start"')
    places = _places(text, len(events))
    steps = _steps(events, places)
    _dry_run(teams, new, steps, places)
    return Script(teams, new, steps)


def _bundled(path: Path) -> str:
    """Return the text of the bundled script whose name, with or without `.toml`, is `path`."""
    files = {file.name: file for file in resources.files("common").joinpath("matches").iterdir()}
    file = files.get(str(path)) or files.get(f"{path}.toml")
    if file is None:
        raise ScriptError(f"no such file; give the path of a match script, or one of: {', '.join(sorted(files))}")
    return file.read_text("utf-8")


def _team(team_id: str, value: object) -> Team:
    where = f"teams.{team_id}"
    table = _table(value, where)
    _only(table, {"name", "players"}, where)
    players = _table(table.get("players"), f"{where}.players")
    squad = []
    for number, name in players.items():
        if not re.fullmatch(r"[0-9]{1,3}", number):
            raise ScriptError(f'{where}.players: {number!r} is no shirt number; write it as 7 = "Luna"')
        squad.append({"number": int(number), "name": name})
    try:
        team = to_team({**table, "id": team_id, "players": squad})
        rules.check_team(team)
    except DomainError as error:
        raise ScriptError(f"{where}: {error}") from error
    return team


def _steps(events: Sequence[object], places: Sequence[str]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for event, place in zip(events, places, strict=True):
        table = _table(event, place)
        minute = _minute(table.get("minute"), place)
        if steps and minute < steps[-1].minute:
            raise ScriptError(f"{place}: minute {minute:g} is before {steps[-1].minute:g}; put events in their order")
        try:
            post = to_post({key: value for key, value in table.items() if key != "minute"})
        except DomainError as error:
            raise ScriptError(f"{place}, minute {minute:g}: {error}") from error
        steps.append(Step(minute, post))
    return tuple(steps)


def _minute(value: object, place: str) -> float:
    # A bool is an int to Python, and TOML knows nan and inf: only numbers compare as wanted here.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_MINUTE:
        raise ScriptError(f"{place}: minute is missing or wrong; write a number from 0 up, such as minute = 5")
    return float(value)


def _dry_run(teams: Sequence[Team], new: NewMatch, steps: Sequence[Step], places: Sequence[str]) -> None:
    """Play the whole match, so that a script that a server would refuse half-way is refused before it starts."""
    by_id = {team.id: team for team in teams}
    for field, team in (("home", new.home), ("visit", new.visit)):
        if team not in by_id:
            raise ScriptError(f"match.{field}: there is no team {team}; add a table [teams.{team}]")
    try:
        match = rules.announce(new, by_id[new.home], by_id[new.visit])
    except DomainError as error:
        raise ScriptError(f"match.{error.field}: {error}") from error
    at = datetime(new.date.year, new.date.month, new.date.day, tzinfo=UTC)
    for step, place in zip(steps, places, strict=True):
        try:
            match, _ = rules.apply(match, step.post, at)
        except DomainError as error:
            raise ScriptError(f"{place}, minute {step.minute:g}: {error.field}: {error}") from error


def _places(text: str, count: int) -> list[str]:
    """Return, for each of `count` events, its number from 1 and its line where that is certain.

    TOML keeps no lines, but every event has a `minute`: as many lines with one as events means that they belong
    together in their order.
    """
    lines = [number for number, line in enumerate(text.split("\n"), 1) if _MINUTE.match(line)]
    if len(lines) != count:
        return [f"event {index}" for index in range(1, count + 1)]
    return [f"event {index} (line {line})" for index, line in enumerate(lines, 1)]


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScriptError(f"{where}: is missing or no table; see the script {SAMPLE} for the form")
    return value


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ScriptError(f"{where}: {key!r} is not known here; known are {', '.join(sorted(known))}")
