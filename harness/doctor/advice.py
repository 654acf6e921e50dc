"""What is to be changed for each thing that a server may lack: the table `advice.toml`."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

import msgspec


class Advice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a knob moves, what it is called, the line to change by runtime, and where that stands."""

    moves: Literal["N", "C", "ART"]
    title: str
    source: str
    lines: Mapping[str, str]

    def for_runtime(self, runtime: str) -> tuple[str, ...]:
        """Return the lines for a runtime: its own, then that for all."""
        return tuple(self.lines[name] for name in (runtime, "any") if name in self.lines)


@cache
def load_advice() -> Mapping[str, Advice]:
    """Return the table."""
    text = resources.files("harness.doctor").joinpath("advice.toml").read_bytes()
    table = msgspec.toml.decode(text, type=dict[str, dict[str, str]])
    return {knob: _advice(row) for knob, row in table.items()}


def _advice(row: dict[str, str]) -> Advice:
    fields: dict[str, Any] = {name: row.pop(name) for name in ("moves", "title", "source")}
    return msgspec.convert({**fields, "lines": row}, Advice)
