"""What a lesson is called in other servers and runtimes: the table `elsewhere.toml`, each with its source."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Name(NamedTuple):
    """What is there in place of the lesson, and its source: an address, or a file of a project and what to look for."""

    says: str
    source: str


class Elsewhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one lesson is called; None where there is nothing that is the same."""

    go: Name | None = None
    node: Name | None = None
    netty: Name | None = None
    nginx: Name | None = None
    erlang: Name | None = None

    def named(self) -> Iterator[tuple[str, Name]]:
        """Give whose name it is, for people, and the name."""
        for whose in self.__struct_fields__:
            name: Name | None = getattr(self, whose)
            if name is not None:
                yield _TITLES.get(whose, whose.capitalize()), name


_TITLES = {"netty": "Netty, JVM", "nginx": "nginx"}


@cache
def load_elsewhere() -> dict[str, Elsewhere]:
    """Return the table, by the lessons' names."""
    text = resources.files("stages").joinpath("elsewhere.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, Elsewhere])
