"""Goes through the course with somebody, or prints it as a script where nobody answers."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from stages.tour.course import FIGURES
from stages.tour.excerpt import excerpt
from stages.tour.trial import command, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stages.tour.course import Step
    from stages.tour.trial import Trial

_COLUMNS: Final = 100
_OWN_SERVER: Final = """
What was done here can be done to any server of long-lived connections, with the same commands. Describe how its clients
speak, try that with one, measure, and ask which knob to turn:
"""
_COMMANDS: Final = (
    "harness init ws > my.toml",
    "harness check my.toml",
    "harness measure my.toml -N 1000 -C 100",
    "harness search my.toml --for C -N 1000",
    "harness doctor my.toml",
)


class Reader(Protocol):
    """Who takes the tour. Each of these returns what was answered; None where nobody answers."""

    def choose(self, choices: int) -> int | None:
        """Return the number that was chosen, from 1 to `choices`."""
        ...

    def foretell(self) -> float | None:
        """Return the number that was foretold; None also for who would rather not."""
        ...

    def go_on(self) -> None:
        """Wait until the reader wants the next step."""
        ...


Measure: TypeAlias = "Callable[[Sequence[str], Sequence[str]], Trial]"


class Guide:
    """Tells by `say`, a line each, and measures by `measure`; see `stages.tour.trial.measured`."""

    def __init__(self, say: Callable[[str], object], reader: Reader, measure: Measure) -> None:
        self._say = say
        self._reader = reader
        self._measure = measure

    def lead(self, step: Step) -> None:
        """Go through one step. Raise TrialFailedError."""
        self._head(f"Stage {step.stage}: {step.title}")
        self._tell(step.scene)
        before = self._run(step, step.before)
        self._ask_for_cause(step, before)
        self._show_code(step)
        foretold = self._ask_for_figure(step, before)
        after = self._run(step, step.after)
        self._compare(step, before, after, foretold)
        self._tell(step.moral)

    def part(self) -> None:
        """Tell what can be done with a server of one's own."""
        self._head("Your own server")
        self._tell(_OWN_SERVER)
        for line in _COMMANDS:
            self._say(f"    {line}")

    def _run(self, step: Step, server: Sequence[str]) -> Trial:
        self._say(f"    $ {shown(command(server, step.load))}")
        seen = self._measure(server, step.load)
        fans = seen.seen.fans
        self._say(f"    {fans.served:,} of {fans.asked:,} fans served; what bound first: {seen.bound.name}")
        for figure in ("art", "fanout_last", "memory"):
            self._say(f"    {FIGURES[figure]}: {_number(seen.figure(figure))}")
        self._say("")
        return seen

    def _ask_for_cause(self, step: Step, before: Trial) -> None:
        self._tell("What is the cause?")
        for number, cause in enumerate(step.causes, 1):
            self._tell(f"{number}. {cause}", indent="    ", gap=False)
        self._say("")
        chosen = self._reader.choose(len(step.causes))
        if chosen is not None:
            self._say("Yes." if chosen == step.answer else f"It is {step.answer}.")
        self._tell(step.because if chosen is not None else f"It is {step.answer}. {step.because}")
        if before.bound.name != "nothing":
            self._tell(f"The harness says: {before.bound.name}: {before.bound.evidence}.")

    def _show_code(self, step: Step) -> None:
        where, lines = excerpt(step.code)
        self._tell(f"The lesson `{step.lesson}` mends it. Read ({where}):")
        for line in lines:
            self._say(f"    {line}".rstrip())
        self._say("")

    def _ask_for_figure(self, step: Step, before: Trial) -> float | None:
        was = _number(before.figure(step.foretell))
        self._tell(f"Foretell, with it: {FIGURES[step.foretell]}. Without it that was {was}.")
        return self._reader.foretell()

    def _compare(self, step: Step, before: Trial, after: Trial, foretold: float | None) -> None:
        what, figure = FIGURES[step.foretell], step.foretell
        line = f"{what}: {_number(before.figure(figure))} without, {_number(after.figure(figure))} with it"
        told = f"{line[0].upper()}{line[1:]}"
        self._tell(f"{told}; you said {_number(foretold)}." if foretold is not None else f"{told}.")

    def _head(self, title: str) -> None:
        self._say("")
        self._say(title)
        self._say("=" * len(title))
        self._say("")

    def _tell(self, text: str, *, indent: str = "", gap: bool = True) -> None:
        hanging = indent + " " * (3 if indent else 0)
        for line in textwrap.wrap(" ".join(text.split()), _COLUMNS, initial_indent=indent, subsequent_indent=hanging):
            self._say(line)
        if gap:
            self._say("")


def _number(value: float | None) -> str:
    """Return a number with three digits that count; what is infinite, or not there, has none."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
