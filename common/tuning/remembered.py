"""What the kernel's settings were before a profile was applied: a JSON file that outlives the command which applied it.

What it must guarantee: values are never put back where they were not taken. They hold for one boot of the machine,
since the kernel forgets at the next, and for one network namespace, since every other has its own; so the file names
both.

Names and values are checked when they are read, as root acts on them: a file that somebody else could write must not
lead out of /proc/sys.
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import msgspec

from common.state_home import NoStateHomeError, state_home

_FILE: Final = Path("matchstream", "sysctl.json")

SettingName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+$")]
SettingValue = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+( -?[0-9]+)*$")]


class StateError(Exception):
    """What was remembered cannot be read, kept or used here; the message says on one line what to do."""


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where values hold: a boot of a machine and a network namespace in it. Empty text stands for what is unknown."""

    boot: str
    namespace: str


class Remembered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The values of settings, by name, as they were at a place before anything was applied."""

    origin: Origin = msgspec.field(name="place")
    originals: dict[SettingName, SettingValue]


def default_state(environ: Mapping[str, str]) -> Path:
    """Return the file for a user: `matchstream/sysctl.json` in the user's state home. Raise StateError without one."""
    try:
        return state_home(environ) / _FILE
    except NoStateHomeError as error:
        raise StateError(f"{error}, or give --state") from error


def this_origin(root: Path) -> Origin:
    """Return where this process is; `root` is /proc/sys (random(4), namespaces(7))."""
    boot = namespace = ""
    with suppress(OSError):
        boot = (root / "kernel" / "random" / "boot_id").read_text().strip()
    with suppress(OSError):
        namespace = str((root.parent / "self" / "ns" / "net").readlink())
    return Origin(boot, namespace)


def recall(state: Path) -> Remembered | None:
    """Return what the file remembers, None if there is no such file. Raise StateError if it cannot be read or used."""
    try:
        return msgspec.json.decode(state.read_bytes(), type=Remembered)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{state}: cannot be read ({error.strerror}): give another --state") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{state}: is no file of remembered settings ({error}): remove it, or give another --state"
        raise StateError(message) from error


def keep(state: Path, remembered: Remembered) -> None:
    """Write the file, for its owner alone and at once: a reader sees all of it, or what was there before.

    Raise StateError if it cannot be written.
    """
    temporary = state.with_name(f".{state.name}-{secrets.token_hex(8)}")
    try:
        state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(remembered)) + b"\n")
        temporary.replace(state)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StateError(f"{state}: cannot be written ({error.strerror}): give another --state") from error


def forget(state: Path) -> None:
    """Remove the file, if there is one. Raise StateError if it cannot be removed."""
    try:
        state.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(f"{state}: cannot be removed ({error.strerror}): remove it by hand") from error
