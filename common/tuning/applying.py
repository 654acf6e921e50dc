"""Applying a profile to the kernel, and putting back what was there.

What it must guarantee:

* What was there before the first of any number of applications can be put back, after a crash too: it is written to a
  file *before* anything is changed, and no later application replaces it.
* A failure half-way leaves everything as it was. Where not even that succeeds, the message names what is still
  changed, and the file still has what it was.
* Only what is short is touched. What does not exist here, or may not be changed here though the rest may (in a network
  namespace of its own, root can change its own settings but not those of the whole machine), is reported.

Rejected: a file in /etc/sysctl.d. It would outlive the experiment, and a machine's owner has reasons for what is there.
"""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from common.tuning.profile import Profile
from common.tuning.remembered import Origin, Remembered, StateError, forget, keep, recall, this_origin
from common.tuning.sysctl import PROC_SYS, Finding, Standing, check, read_sysctls, setting_file


class ApplyError(Exception):
    """Settings could not be changed; the message says on one line which, why, and how things stand now."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a profile did: every setting of it is in exactly one of the four. `found.now` is what was there.

    `changed` are as `found.target` now. `met` were so already. `unknown` cannot be read here, and `refused` are short
    but cannot be changed here; neither was touched.
    """

    changed: tuple[Finding, ...]
    met: tuple[Finding, ...]
    unknown: tuple[Finding, ...]
    refused: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: the names of settings with their values now. `gone` are those that no longer exist here.

    After a reboot nothing is, as the kernel itself started afresh: then `rebooted` holds.
    """

    values: dict[str, str]
    gone: tuple[str, ...]
    rebooted: bool


def apply(profile: Profile, state: Path, root: Path = PROC_SYS) -> Applied:
    """Change what is short of a profile, remembering in the file `state` what it was.

    Raise ApplyError if nothing that is short may be changed (who is not root, a read-only /proc/sys) or a change fails;
    everything is then as before. Raise StateError, before any change, if the file cannot be written or is of another
    network namespace. Values that it has from before a reboot are dropped.
    """
    findings = check(profile, root)
    short = _standing(findings, Standing.SHORT)
    refusals = {found.setting.name: error for found in short if (error := _refusal(found.setting.name, root))}
    if short and len(refusals) == len(short):
        raise _failure(*next(iter(refusals.items())))
    changes = tuple(found for found in short if found.setting.name not in refusals)
    if changes:
        _change(changes, state, root)
    return Applied(
        changed=changes,
        met=_standing(findings, Standing.MET),
        unknown=_standing(findings, Standing.UNKNOWN),
        refused=tuple(found for found in short if found.setting.name in refusals),
    )


def restore(state: Path, root: Path = PROC_SYS) -> Restored:
    """Put back everything that the file `state` remembers, of however many profiles, and remove the file.

    Raise StateError if there is no such file or it is of another network namespace, ApplyError if a setting cannot be
    put back: the others are, and the file remembers those that are left.
    """
    here, remembered = this_origin(root), recall(state)
    if remembered is None:
        raise StateError(f"there is nothing to put back: {state} does not exist; did you apply with another --state?")
    if remembered.origin.boot != here.boot:
        forget(state)
        return Restored({}, (), rebooted=True)
    _check_namespace(remembered.origin, here, state)
    originals = remembered.originals
    now = read_sysctls(originals, root)
    left: dict[str, OSError] = {}
    for name in (name for name in now if now[name] != originals[name]):
        try:
            _write(name, originals[name], root)
        except OSError as error:
            left[name] = error
    if left:
        keep(state, Remembered(here, {name: originals[name] for name in left}))
        done = len(now) - len(left)
        message = f"{_failure(*next(iter(left.items())))}; {done} of {len(now)} were put back, {state} has the others"
        raise ApplyError(message)
    forget(state)
    return Restored({name: originals[name] for name in now}, tuple(originals.keys() - now.keys()), rebooted=False)


def _change(changes: tuple[Finding, ...], state: Path, root: Path) -> None:
    here, before = this_origin(root), recall(state)
    if before is not None and before.origin.boot != here.boot:
        before = None
    if before is not None:
        _check_namespace(before.origin, here, state)
    originals = {found.setting.name: found.now for found in changes if found.now is not None}
    keep(state, Remembered(here, originals | (before.originals if before else {})))
    begun: list[Finding] = []
    try:
        for found in changes:
            begun.append(found)
            _write(found.setting.name, found.target, root)
    except BaseException as error:  # an interruption, too, leaves nothing changed
        stuck = _undo(begun, root)
        if not stuck:
            forget(state) if before is None else keep(state, before)
        if not isinstance(error, OSError):
            raise
        stands = f"still changed: {', '.join(stuck)}; {state} has what was there" if stuck else "all is as it was"
        raise ApplyError(f"{_failure(begun[-1].setting.name, error)}; {stands}") from error


def _undo(begun: Iterable[Finding], root: Path) -> tuple[str, ...]:
    """Put back what was there before `begun` changes, and return the names of those for which that failed."""
    stuck = []
    for found in begun:
        name = found.setting.name
        if read_sysctls([name], root).get(name) == found.now:
            continue
        try:
            _write(name, found.now or "", root)
        except OSError:
            stuck.append(name)
    return tuple(stuck)


def _write(name: str, value: str, root: Path) -> None:
    """Set one setting. Raise OSError if the kernel refuses, or takes the value and shows another."""
    setting_file(name, root).write_text(f"{value}\n")
    shows = read_sysctls([name], root).get(name)
    if shows != value:
        raise OSError(errno.EINVAL, f"the kernel made {shows} of it")


def _refusal(name: str, root: Path) -> OSError | None:
    """Return why a setting cannot be changed here, None if it can: opening it and writing nothing does nothing."""
    try:
        os.close(os.open(setting_file(name, root), os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        return error
    return None


def _failure(name: str, error: OSError) -> ApplyError:
    advice = ""
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        advice = ": run it as root, and not in a container or a network namespace of its own"
    return ApplyError(f"{name} cannot be changed ({error.strerror}){advice}")


def _check_namespace(there: Origin, here: Origin, state: Path) -> None:
    if there.namespace != here.namespace:
        message = f"{state} has the settings of another network namespace: restore them there, or give another --state"
        raise StateError(message)


def _standing(findings: Iterable[Finding], standing: Standing) -> tuple[Finding, ...]:
    return tuple(found for found in findings if found.standing is standing)
