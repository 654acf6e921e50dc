"""The kernel's settings (sysctl(8)): find a profile, read them, and say which are short of what it asks.

A setting `net.core.somaxconn` is the file `net/core/somaxconn` under /proc/sys (proc(5)). Those under `net` show the
network namespace of the process that reads them; the few that belong to the whole machine are missing from any other
namespace than the first, or can only be read there. What cannot be read is neither met nor short: nobody here knows.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from common.tuning.profile import Profile, ProfileError, Setting, parse_profile

PROC_SYS: Final = Path("/proc/sys")

PROFILES: Final = Path(__file__).resolve().parents[1] / "sysctl"
"""Where the profiles are."""


class Standing(StrEnum):
    """How a setting stands to what a profile asks."""

    MET = "met"
    SHORT = "short"
    UNKNOWN = "cannot be read here"


@dataclass(frozen=True, slots=True)
class Finding:
    """A setting of a profile as it was found.

    `now` is its value, numbers between single spaces, None if it cannot be read. `wanted` is what the profile asks of
    this machine. `target` is what it would be set to: as `wanted`, with what is larger `now` kept where that is fine.
    """

    setting: Setting
    now: str | None
    wanted: str
    target: str
    standing: Standing


def load_profile(name_or_path: str, directory: Path = PROFILES) -> Profile:
    """Return the profile of a file, if what is given ends in `.toml` or has a slash, else that of a name.

    Raise ProfileError, which names the file, when there is none, it cannot be read, or it is no profile.
    """
    is_path = "/" in name_or_path or name_or_path.endswith(".toml")
    path = Path(name_or_path) if is_path else directory / f"{name_or_path}.toml"
    try:
        if not is_path:
            _check_known(name_or_path, directory)
        return parse_profile(path.read_text("utf-8-sig"), path.stem)
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}; give the path of a profile") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: is not a text in UTF-8; give the path of a profile") from error
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from error


def profile_names(directory: Path = PROFILES) -> tuple[str, ...]:
    """Return the names of the profiles in a directory, sorted."""
    return tuple(sorted(path.stem for path in directory.glob("*.toml")))


def read_sysctls(names: Iterable[str], root: Path = PROC_SYS) -> dict[str, str]:
    """Return the values of kernel settings by name; those that do not exist, or may not be read, are left out."""
    values = {}
    for name in names:
        try:
            text = setting_file(name, root).read_text()
        except OSError:
            continue
        values[name] = " ".join(text.split())
    return values


def setting_file(name: str, root: Path = PROC_SYS) -> Path:
    """Return the file of a setting, whether it exists or not."""
    return root.joinpath(*name.split("."))


def check(profile: Profile, root: Path = PROC_SYS) -> tuple[Finding, ...]:
    """Return how each setting of a profile stands, in its order. It reads a file a setting: well below a millisecond.

    `root` is where the settings are; the size of the memory, of which some are shares, is read from `meminfo` beside
    it. Nothing is changed, and root's rights are not needed.
    """
    values = read_sysctls((setting.name for setting in profile.settings), root)
    pages = _memory_pages(root.parent / "meminfo")
    return tuple(_find(setting, values.get(setting.name), pages) for setting in profile.settings)


def shortfalls(profile: Profile, root: Path = PROC_SYS) -> tuple[str, ...]:
    """Return a phrase for each setting that is short of a profile: `net.core.somaxconn is 128, not at least 1024`.

    They are in the profile's order and hold no line feed; see `check`. What cannot be read here is not among them.
    """
    short = (found for found in check(profile, root) if found.standing is Standing.SHORT)
    return tuple(
        f"{found.setting.name} is {found.now}, not {found.setting.requirement} {found.wanted}" for found in short
    )


def _check_known(name: str, directory: Path) -> None:
    known = profile_names(directory)
    if not known:
        raise ProfileError("profiles come with a checkout of the project, and this is none; give the path of one")
    if name not in known:
        raise ProfileError(f"no such profile; give the path of one, or one of: {', '.join(known)}")


def _find(setting: Setting, now: str | None, pages: int | None) -> Finding:
    if setting.percent and pages is None:
        return Finding(setting, now, setting.value, setting.value, Standing.UNKNOWN)
    pages = pages or 0
    wanted = _show(setting.wanted(pages))
    if now is None:
        return Finding(setting, None, wanted, wanted, Standing.UNKNOWN)
    standing = Standing.MET if setting.is_met(now, pages) else Standing.SHORT
    return Finding(setting, now, wanted, _show(setting.target(now, pages)), standing)


def _show(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def memory_bytes(meminfo: Path, name: str) -> int | None:
    """Return a size that proc(5)'s `meminfo` has under a name, such as MemTotal; None if that cannot be read."""
    try:
        found = re.search(rf"^{name}:\s+([0-9]{{1,15}}) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024


def _memory_pages(meminfo: Path) -> int | None:
    """Return how many pages of memory the machine has; None if that cannot be read."""
    total = memory_bytes(meminfo, "MemTotal")
    return None if total is None else total // os.sysconf("SC_PAGE_SIZE")
