"""The course: a page for each stage, and one for each lesson: its cause, what exercises it, a chart, the code."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from common.domain.script import SAMPLE
from docs.generate.lesson_chart import chart_lesson
from docs.generate.markdown import code, page, plain, table
from docs.generate.sources import ROOT
from harness.campaign.scenarios import OF_LESSON, SCENARIOS
from harness.records.campaign import Ablation
from harness.records.kinds import load_record
from harness.show.campaign import TITLES, show_ratio
from harness.show.disturbances import show_disturbances
from harness.units import show_load
from stages.catalogue import LESSONS, PACKAGES
from stages.elsewhere import load_elsewhere
from stages.explained import explain
from stages.lesson_page import COSTS
from stages.worth import RESULTS
from stages.worth.ablations import summaries_in
from stages.worth.doors import read_costs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

    from docs.generate.sources import Sources
    from harness.records.campaign import LessonWorth
    from harness.show.charts.chart import Chart
    from stages.explained import Explained
    from stages.stage0.parts import Stage
    from stages.worth.doors import Cost

_SHOW_CODE: Final = """::: {module}
    options:
      heading_level: 3
      show_root_heading: true
      show_root_full_path: true
"""
_SAID: Final = """::: {package}
    options:
      members: false
      show_root_heading: false
      show_root_toc_entry: false
"""
_NO_RESULTS: Final = "Nothing was measured of it in this checkout.\n\n"
_ONLY_COSTS: Final = "That was not measured in this checkout, but what it costs was.\n\n"
_RATIOS: Final = (
    "Ratios of what a server is without the lesson to what it is with it, where it was added of what it is with it to "
    "what it is without; with 95 % intervals, all of a figure judged together.\n\n"
)


@dataclass(frozen=True, slots=True)
class Course:
    """What the pages of the course are made of: texts to link to, and what was measured of the lessons."""

    sources: Sources
    worths: Sequence[LessonWorth]
    costs: Mapping[str, Sequence[Cost]]
    """Of the lessons that are doors."""

    def pages(self) -> Iterator[tuple[str, str | bytes]]:
        """Give the address and the text of each page, and of each chart its bytes."""
        for package in PACKAGES:
            uri = stage_uri(package.STAGE)
            yield uri, page(f"Stage {package.STAGE.name}", "\n".join(self._stage(uri, package)))
        for lesson in LESSONS:
            uri = lesson_uri(lesson.name)
            chart = chart_lesson(lesson.name, self._of(lesson.name))
            if chart is not None:
                yield _picture_uri(lesson.name), chart.png(captioned=False)
            yield uri, page(lesson.name, "\n".join(self._lesson(uri, explain(lesson.name), chart)))

    def overview(self) -> str:
        """Return the table of all lessons, for a page beside those of the lessons."""
        rows = [
            (
                f"[{package.STAGE.name}]({Path(stage_uri(package.STAGE)).name})",
                f"[{code(name)}](../{lesson_uri(name)})",
                plain(explain(name).lesson.teaches),
            )
            for package in PACKAGES
            for name in introduced_by(package.STAGE)
        ]
        return table(("stage", "lesson", "what it is"), rows)

    def _stage(self, uri: str, package: ModuleType) -> Iterator[str]:
        name, directory = package.STAGE.name, Path(str(package.__file__)).parent
        yield f"# Stage {name}\n\n{_SAID.format(package=package.__name__)}"
        if names := introduced_by(package.STAGE):
            rows = ((f"[{code(one)}](../{lesson_uri(one)})", plain(explain(one).lesson.teaches)) for one in names)
            yield f"## Its lessons\n\n{table(('lesson', 'what it is'), rows)}"
        yield f"## See it\n\n    matchstream serve --stage {name} --play {SAMPLE} --loop\n"
        modules = (
            (f"[{code(file.name)}]({self.sources.link(uri, str(file.relative_to(ROOT)))})", _about(file))
            for file in sorted(directory.glob("*.py"))
        )
        yield f"## Its modules\n\n{table(('module', 'what it is'), modules)}"

    def _lesson(self, uri: str, found: Explained, chart: Chart | None) -> Iterator[str]:
        name = found.lesson.name
        yield f"# {name}\n\n*{plain(found.lesson.teaches)}*\n"
        yield f"[{found.headline}](../{stage_uri(found.stage)})\n"
        yield f"## Cause\n\n{found.cause}\n\n## Lesson\n\n{found.says}\n"
        if found.lesson.needs:
            needs = " and ".join(f"[{code(need)}]({Path(lesson_uri(need)).name})" for need in found.lesson.needs)
            yield f"It makes no sense without {needs}: {plain(found.lesson.because)}.\n"
        yield f"    matchstream serve --stage {found.stage.name}{''.join(_left_out(found))}\n"
        yield f"## What exercises it\n\n{_scenarios(name)}"
        yield f"## What it is worth here\n\n{self._worth(name, chart)}"
        yield from _costs(self.costs.get(name, ()))
        yield from (f"{text}\n" for text in found.seen)
        yield f"## In the code\n\n{self._code(uri, found)}"
        if (elsewhere := load_elsewhere().get(name)) is not None:
            rows = ((whose, plain(one.says), _source(one.source)) for whose, one in elsewhere.named())
            yield f"## What it is called elsewhere\n\n{table(('where', 'there', 'source'), rows)}"

    def _of(self, name: str) -> list[LessonWorth]:
        return [one for one in self.worths if one.lesson == name]

    def _worth(self, name: str, chart: Chart | None) -> str:
        worths = self._of(name)
        measured = [one for one in worths if one.scenario is not None]
        if not worths:
            return _ONLY_COSTS if name in self.costs else _NO_RESULTS
        if not measured:
            return "It was not exercised: no scenario that was run has to do with it.\n\n"
        shown = "" if chart is None else f"![{chart.finding}]({Path(_picture_uri(name)).name})\n\n"
        rows = [
            (one.change, one.stage, str(one.scenario), TITLES[ratio.figure], plain(show_ratio(ratio)))
            for one in measured
            for ratio in one.ratios
            if ratio.judgement != "not measured"
        ]
        refused = "".join(
            f"It cannot be {one.change} by itself in stage {one.stage}: {plain(one.refused)}.\n\n"
            for one in measured
            if one.refused is not None
        )
        figures = table(("it was", "stage", "scenario", "figure", "ratio"), rows)
        return f"{shown}{refused}{f'{_RATIOS}{figures}' if figures else ''}"

    def _code(self, uri: str, found: Explained) -> str:
        rows = [(code(part), code(one.what), code(one.module)) for part, one in found.made_of]
        package = f"{found.package.replace('.', '/')}/__init__.py"
        applied = f"[{code(package)}]({self.sources.link(uri, package)}) puts it into the table of parts:\n\n"
        shown = "\n".join(
            _SHOW_CODE.format(module=module)
            if first == found.lesson.name
            else f"### {module}\n\nIt stands with [{code(first)}]({Path(lesson_uri(first)).name}#{module}).\n"
            for module in modules_of(found)
            if (first := _first_of(module))
        )
        return f"{applied}{table(('part', 'what it is then', 'module'), rows)}{shown}\n"


def read_worths() -> tuple[LessonWorth, ...]:
    """Return all that the ablations of this checkout say of lessons."""
    records = map(load_record, summaries_in(RESULTS))
    return tuple(one for record in records if isinstance(record, Ablation) for one in record.lessons)


def read_door_costs() -> dict[str, tuple[Cost, ...]]:
    """Return what each door costs that was measured in this checkout, by the name of its lesson."""
    return {lesson.name: costs for lesson in LESSONS if (costs := read_costs(lesson.name, RESULTS))}


def introduced_by(stage: Stage) -> tuple[str, ...]:
    """Return the names of the lessons that a stage adds to its base."""
    earlier = {
        lesson.name
        for package in PACKAGES[: [each.STAGE for each in PACKAGES].index(stage)]
        for lesson in package.STAGE.lessons
    }
    return tuple(lesson.name for lesson in stage.lessons if lesson.name not in earlier)


def stage_uri(stage: Stage) -> str:
    """Return the address of the page of a stage."""
    return f"course/stage-{stage.name}.md"


def lesson_uri(name: str) -> str:
    """Return the address of the page of a lesson."""
    return f"lessons/{name}.md"


def modules_of(found: Explained) -> tuple[str, ...]:
    """Return the names of the modules from which a lesson puts something into the table of parts."""
    return tuple(dict.fromkeys(one.module for _, one in found.made_of if one.module))


@cache
def _first_of(module: str) -> str:
    """Return the name of the first lesson that a module is of: its page has the code."""
    return next(lesson.name for lesson in LESSONS if module in modules_of(explain(lesson.name)))


def _picture_uri(name: str) -> str:
    return f"lessons/{name}.png"


def _left_out(found: Explained) -> Iterator[str]:
    """Give the options that leave a lesson out of its stage, and those that make no sense without it."""
    name = found.lesson.name
    for lesson in found.stage.lessons:
        if lesson.name == name or name in lesson.needs:
            yield f" --without {lesson.name}"


def _scenarios(name: str) -> str:
    scenarios = [SCENARIOS[scenario] for scenario in OF_LESSON.get(name, ())]
    if not scenarios:
        return "No scenario of `harness ablate` does.\n\n"
    rows = []
    for scenario in scenarios:
        besides = show_disturbances(scenario.load.disturbances)
        load = f"{show_load(scenario.load)}{f'; {besides}' if besides else ''}"
        rows.append((code(scenario.name), plain(scenario.sentence), plain(load)))
    named = "".join(f" --scenario {scenario.name}" for scenario in scenarios if scenario.is_long)
    root = "        # as root" if any(scenario.needs_netns for scenario in scenarios) else ""
    command = f"    harness ablate --lesson {name}{named}{root}\n\n"
    return f"{table(('scenario', 'what happens', 'load'), rows)}{command}"


def _costs(costs: Sequence[Cost]) -> Iterator[str]:
    """Give what a door costs, and what fans do who watch in other ways."""
    if not costs:
        return
    titles = ("fans", "ART", "an event to each", "an event to the last", "memory a fan")
    rows = ((one.way, one.art, one.fanout, one.last, one.memory) for one in costs)
    yield f"## What it costs here\n\n{COSTS.format(load=costs[0].load)}\n\n{table(titles, rows)}"


def _source(source: str) -> str:
    """Return a source as a link that is called by its host, where it is an address alone."""
    address, _, found = source.partition(" ")
    if not address.startswith("https://"):
        return plain(source)
    return f"[{urlsplit(address).hostname}]({address}) {plain(found)}".rstrip()


def _about(file: Path) -> str:
    """Return the first sentence of a module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n\n")[0]
