"""What `matchstream lessons NAME` prints: the page of one lesson, for a terminal."""

from __future__ import annotations

from textwrap import TextWrapper
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.elsewhere import Elsewhere
    from stages.explained import Explained
    from stages.worth.ablations import Worth
    from stages.worth.doors import Cost

_LINES: Final = TextWrapper(
    width=100, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False, break_long_words=False
)
NO_RESULTS: Final = "no results are here: they are in reports/results of a checkout; --results DIR names others"
_RATIOS: Final = (
    "(Ratios, with 95 % intervals: without the lesson over with it; where it was added, with it over without.)"
)
COSTS: Final = "(Means of the runs of make lab-peers, and from where to where they reach; {load}.)"
_SCENARIOS: Final = "{names} (harness scenarios says what happens in each)"
_NOT_RUN: Final = "no scenario that was run (harness scenarios has those there are)"


def page_lines(
    found: Explained, elsewhere: Elsewhere | None, worths: Sequence[Worth] | None, costs: Sequence[Cost]
) -> Iterator[str]:
    """Give the lines of the page. `worths` is None where there are no results, `costs` are those of a door."""
    yield f"{found.lesson.name}: {found.lesson.teaches}"
    yield from _section("in the talk", [found.headline])
    yield from _section("cause", [found.cause])
    yield from _section("lesson", [found.says, *_needs(found)])
    yield from _section("in the code", _code(found))
    if worths is None:
        yield from _section("exercised by, and worth here", [NO_RESULTS])
    else:
        yield from _section("exercised by", [_scenarios(worths)])
        yield from _section("worth here", _worth(worths))
    yield from _section("costs here", _costs(costs))
    yield from _section("in words", found.seen)
    if elsewhere is not None:
        yield from _section("elsewhere", [f"{whose}: {name.says} ({name.source})" for whose, name in elsewhere.named()])


def scenarios_of(worths: Sequence[Worth]) -> tuple[str, ...]:
    """Return the names of the scenarios in which a lesson was left out, each once."""
    return tuple(dict.fromkeys(one.scenario for one in worths if one.scenario is not None and one.change == "left out"))


def _scenarios(worths: Sequence[Worth]) -> str:
    names = scenarios_of(worths)
    return _SCENARIOS.format(names=", ".join(names)) if names else _NOT_RUN


def _worth(worths: Sequence[Worth]) -> Iterator[str]:
    yield from (f"{one.done}: {one.came_of_it}" for one in worths if one.scenario is not None)
    if idle := [one.done for one in worths if one.scenario is None]:
        yield f"not exercised: {', '.join(idle)}"
    if any(one.ratios for one in worths):
        yield _RATIOS


def _costs(costs: Sequence[Cost]) -> Iterator[str]:
    for one in costs:
        events = f"an event to each fan {one.fanout}, to the last {one.last}"
        yield f"{one.way}: ART {one.art}; {events}; memory a fan {one.memory}"
    if costs:
        yield COSTS.format(load=costs[0].load)


def _needs(found: Explained) -> Iterator[str]:
    if found.lesson.needs:
        yield f"Makes no sense without {' and '.join(found.lesson.needs)}: {found.lesson.because}."


def _code(found: Explained) -> Iterator[str]:
    yield f"{_path(found.package)}/__init__.py applies it to the table of parts (stages/stage0/parts.py)"
    for part, ingredient in found.made_of:
        where = f", in {_path(ingredient.module)}.py" if ingredient.module else ""
        yield f"{part}: {ingredient.what}{where}"


def _path(module: str) -> str:
    return module.replace(".", "/")


def _section(title: str, texts: Sequence[str] | Iterator[str]) -> Iterator[str]:
    lines = [line for text in texts for line in _LINES.wrap(text)]
    if lines:
        yield from ("", title, *lines)
