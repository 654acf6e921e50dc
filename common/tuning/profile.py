"""Profiles: named sets of kernel settings (`sysctl`) that a server or a load generator asks for, each with its reason.

    purpose = "A server that holds 100,000 connections."

    [settings."net.core.somaxconn"]
    value = "65535"                   # whole numbers as sysctl(8) shows them, or shares of the memory: "10% 15% 20%"
    compare = "at least"              # or "exactly"
    belongs_to = "network namespace"  # or "whole machine"
    default = "4096"                  # what the kernel starts with
    reason = "…"                      # what it bounds, and where one sees that it was reached
    source = "listen(2)"

What a profile must guarantee: applied to a machine of any size, tuned or not, it makes nothing worse. So a setting that
is bounded from below is never lowered, not even one number of three; and what is counted in pages of memory is written
as a share of it, because a number that fits one machine is more than another has.

Everything here is pure: texts and numbers in, texts and numbers out. `sysctl.py` beside it reads files.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")  # nothing that could lead out of /proc/sys
_VALUE: Final = re.compile(r"[0-9]{1,19}( [0-9]{1,19})*|[0-9]{1,3}%( [0-9]{1,3}%)*")
_Choice = TypeVar("_Choice", bound=StrEnum)
_KEYS: Final = ("value", "compare", "belongs_to", "default", "reason", "source")


class ProfileError(Exception):
    """A profile cannot be found or read; the message says on one line where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))  # a quoted key may hold a line feed


class Requirement(StrEnum):
    """When the kernel's value is as the profile asks: with each number at least as large, or with the same ones."""

    AT_LEAST = "at least"
    EXACTLY = "exactly"


class Scope(StrEnum):
    """Whose setting it is: everybody's on this machine, or that of the processes in one network namespace."""

    MACHINE = "whole machine"
    NAMESPACE = "network namespace"


@dataclass(frozen=True, slots=True)
class Setting:
    """One kernel setting. `numbers` are what it is to be; if `percent`, shares of the machine's memory, in pages."""

    name: str
    numbers: tuple[int, ...]
    percent: bool
    requirement: Requirement
    belongs_to: Scope
    default: str
    reason: str
    source: str

    @property
    def value(self) -> str:
        """The value as the profile writes it."""
        return " ".join(f"{number}%" if self.percent else str(number) for number in self.numbers)

    def wanted(self, memory_pages: int) -> tuple[int, ...]:
        """Return the numbers that a machine with so many pages of memory is to have; shares are rounded down."""
        if not self.percent:
            return self.numbers
        return tuple(number * memory_pages // 100 for number in self.numbers)

    def target(self, now: str, memory_pages: int) -> tuple[int, ...]:
        """Return what to set where the value is `now`: the same numbers if that is as wanted, and never smaller ones.

        (Smaller only for one that is compared exactly, or has another count of numbers than the profile knows.)
        """
        wanted, found = self.wanted(memory_pages), numbers_in(now)
        if self.requirement is Requirement.EXACTLY or len(found) != len(wanted):
            return wanted
        return tuple(max(pair) for pair in zip(wanted, found, strict=True))

    def is_met(self, now: str, memory_pages: int) -> bool:
        """Return whether the value `now` is as the profile asks."""
        return self.target(now, memory_pages) == numbers_in(now)


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of settings under a name: that of its file, by which commands know it."""

    name: str
    purpose: str
    settings: tuple[Setting, ...]


def numbers_in(value: str) -> tuple[int, ...]:
    """Return the numbers that a kernel setting shows, between spaces or tabs; none if it shows anything else."""
    words = value.split()
    return tuple(map(int, words)) if all(re.fullmatch(r"-?[0-9]{1,19}", word) for word in words) else ()


def parse_profile(text: str, name: str) -> Profile:
    """Return the profile that a TOML text holds. Raise ProfileError when it is none."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # syntax, a number of thousands of digits, thousands of brackets
        raise ProfileError(f"this is not TOML: {error}") from error
    _only(document, ("purpose", "settings"), "the profile")
    settings = document.get("settings")
    if not isinstance(settings, dict) or not settings:
        raise ProfileError('it has no settings: write one as a table, such as [settings."net.core.somaxconn"]')
    return Profile(name, _text(document, "purpose", "the profile"), tuple(_setting(*item) for item in settings.items()))


def _setting(name: str, table: object) -> Setting:
    if _NAME.fullmatch(name) is None:
        raise ProfileError(f'settings: {name!r} is no setting\'s name; quote it whole, as "net.core.somaxconn"')
    if not isinstance(table, dict):
        raise ProfileError(f"{name}: is no table; give it {', '.join(_KEYS)}")
    _only(table, _KEYS, name)
    value, compare, belongs_to, default, reason, source = (_text(table, key, name) for key in _KEYS)
    if _VALUE.fullmatch(value) is None:
        raise ProfileError(
            f'{name}: {value!r} is no value; write whole numbers, such as "4096 16384", or shares: "10%"'
        )
    percent = value.endswith("%")
    numbers = tuple(int(word.removesuffix("%")) for word in value.split(" "))
    if percent and max(numbers) > 100:
        raise ProfileError(f"{name}: {value} is more memory than there is; 100% is all of it")
    return Setting(
        name=name,
        numbers=numbers,
        percent=percent,
        requirement=_one_of(Requirement, compare, f"{name}: compare"),
        belongs_to=_one_of(Scope, belongs_to, f"{name}: belongs_to"),
        default=default,
        reason=reason,
        source=source,
    )


def _one_of(choices: type[_Choice], word: str, where: str) -> _Choice:
    try:
        return choices(word)
    except ValueError as error:
        raise ProfileError(f"{where}: {word!r} is unknown; write one of: {', '.join(choices)}") from error


def _text(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ProfileError(f'{where}: {key} is missing or no text; write {key} = "…"')
    return " ".join(value.split())


def _only(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise ProfileError(f"{where}: {key!r} is not known here; known are {', '.join(known)}")
