"""From what was seen of a server to what holds it back: rules, each of which finds one thing or nothing. Pure.

A rule says how sure it is: *sure* where the kernel or the server said it, *likely* where it was seen and explains what
the fans saw, *possible* where it is only usual.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.doctor.advice import Advice
from harness.doctor.looked import Blocked, Looked
from harness.records.trial import TrialResult
from harness.units import show_time

Certainty = Literal["sure", "likely", "possible"]

_ORDER: Mapping[Certainty, int] = {"sure": 0, "likely": 1, "possible": 2}
_OFTEN = 0.1  # of all looks, from which on what a thread waits for is worth telling
_BUSY = 0.9
_IDLE = 0.3
_SLOW_S = 0.05
_FEW = 0.01  # of all clients, up to which it is no matter who had to try again
_ABOUT_A_CORE = 1.1
_HAVE_ONE_THREAD = ("python", "node")
"""Runtimes whose main thread serves, so that what it waits for all wait for; others park theirs in a futex, too."""
_REFUSALS = ("status_429", "status_503", "error_line", "close_1008", "close_1013")


@dataclass(frozen=True, slots=True)
class Finding:
    """A knob, by its name in the table of advice, how sure that is, why, and the lines to change."""

    knob: str
    advice: Advice
    certainty: Certainty
    because: str
    lines: tuple[str, ...]


def findings(result: TrialResult, looked: Looked, table: Mapping[str, Advice]) -> tuple[Finding, ...]:
    """Return what holds a server back, what is sure first; nothing if nothing was seen."""
    found = []
    for knob, rule in RULES:
        seen = rule(result, looked)
        if seen is not None:
            certainty, because = seen
            advice = table[knob]
            found.append(Finding(knob, advice, certainty, because, advice.for_runtime(looked.runtime)))
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.certainty]))


_Seen = tuple[Certainty, str] | None


def _open_files(result: TrialResult, looked: Looked) -> _Seen:
    if result.bound.name != "open files":
        return None
    hard = looked.hard_files
    limit = 0 if result.server is None else result.server.fullest_limit
    if hard is None or hard <= limit:
        return "sure", f"{result.bound.evidence}, and may not have more"
    return "sure", f"{result.bound.evidence}; it may allow itself {hard:,}"


def _backlog(result: TrialResult, looked: Looked) -> _Seen:
    c = result.asked.load.c
    if looked.backlog is None:
        return _by_bound("accept queue", "likely")(result, looked)
    if not looked.turned_away or looked.backlog >= c or looked.backlog == looked.somaxconn:
        return None
    return "sure", f"{_away(looked)}, which has room for {looked.backlog:,} where {c:,} came at once"


def _somaxconn(result: TrialResult, looked: Looked) -> _Seen:
    c, limit = result.asked.load.c, looked.somaxconn
    if not looked.turned_away or limit is None or looked.backlog != limit or limit >= c:
        return None
    return "sure", f"{_away(looked)}, which has all the room that the kernel allows, {limit:,}, and {c:,} came at once"


def _accepts_slowly(result: TrialResult, looked: Looked) -> _Seen:
    if looked.turned_away < _FEW * result.asked.load.n:
        return None
    if not looked.turned_away or looked.backlog is None or looked.backlog < result.asked.load.c:
        return None
    return "likely", f"{_away(looked)}, though a whole wave has room in it ({looked.backlog:,})"


def _away(looked: Looked) -> str:
    return f"{looked.turned_away:,} attempts to connect found the accept queue full"


def _by_bound(name: str, certainty: Certainty) -> Callable[[TrialResult, Looked], _Seen]:
    """Return a rule that finds what a trial says bound first."""

    def rule(result: TrialResult, looked: Looked) -> _Seen:
        return (certainty, result.bound.evidence) if result.bound.name == name else None

    return rule


def _one_core(result: TrialResult, looked: Looked) -> _Seen:
    share, cores, name = looked.busiest_thread, result.machine.cores, result.bound.name
    if share is not None and share >= _BUSY and name != "other load":
        return "likely", f"one of its threads used {share:.0%} of a core while clients came, of {cores} that there are"
    used = 0.0 if result.server is None else result.server.cpu_peak
    if name == "CPU" and cores > 1 and 0 < used <= _ABOUT_A_CORE:
        return (
            "likely",
            f"all its threads together never used more than {used:.0%} of a core, of {cores} that there are",
        )
    return None


def _blocked_in(looked: Looked, calls: Mapping[str, tuple[str, ...]]) -> tuple[Blocked, ...]:
    return tuple(each for each in _waits(looked) if each.to in calls.get(each.call, ()))


def _waits(looked: Looked) -> tuple[Blocked, ...]:
    """Return what its main threads waited in that says something, in its runtime."""
    return tuple(each for each in looked.blocked if each.call != "futex" or looked.runtime in _HAVE_ONE_THREAD)


_LOG_CALLS = {"write": ("pipe", "terminal", "file"), "writev": ("pipe", "terminal", "file")}
_DISK_CALLS = {"fsync": ("file", ""), "fdatasync": ("file", ""), "flock": ("file", "")}
_SLEEP_CALLS = {"nanosleep": ("",), "clock_nanosleep": ("",)}
_LOCK_CALLS = {"futex": ("",)}
_SOCKET_CALLS = dict.fromkeys(("read", "recvfrom", "recvmsg", "connect", "sendto"), ("socket",)) | {"poll": ("",)}


def _waiting(calls: Mapping[str, tuple[str, ...]], doing: str) -> Callable[[TrialResult, Looked], _Seen]:
    """Return a rule that finds main threads waiting in these calls, which is said to be `doing` something."""

    def rule(result: TrialResult, looked: Looked) -> _Seen:
        found = _blocked_in(looked, calls)
        share = sum(each.share for each in found)
        if share < _OFTEN:
            return None
        most = max(found, key=lambda each: each.share)
        where = f"{most.call}(2)" + (f" to a {most.to}" if most.to else "")
        stores = " and ".join(looked.stores)
        whom = f"; it is connected to {stores}" if most.to == "socket" and stores else ""
        return "likely", f"its main thread was {doing} in {share:.0%} of all looks at it ({where}){whom}"

    return rule


def _all_cores(result: TrialResult, looked: Looked) -> _Seen:
    if result.bound.name != "CPU" or _one_core(result, looked) is not None:
        return None
    return "likely", result.bound.evidence


def _waited_for_nothing(result: TrialResult, looked: Looked, busiest: float) -> str | None:
    """Return what clients waited, if they did while no thread used as much CPU as `busiest` or was seen waiting."""
    intended = result.seen.response.intended
    if _waits(looked) or intended is None or intended.p50_s is None or intended.p50_s < _SLOW_S:
        return None
    if looked.busiest_thread is None or looked.busiest_thread >= busiest or result.bound.name in {"CPU", "other load"}:
        return None
    return f"half of the clients waited {show_time(intended.p50_s)} or more"


def _one_store_connection(result: TrialResult, looked: Looked) -> _Seen:
    single = [store for store, count in looked.stores.items() if count == 1]
    waited = _waited_for_nothing(result, looked, _BUSY)
    if waited is None or not single:
        return None
    return "possible", f"it has one connection to {single[0]}, and {waited} while its threads had time"


def _idle(result: TrialResult, looked: Looked) -> _Seen:
    waited = _waited_for_nothing(result, looked, _IDLE)
    if waited is None or looked.turned_away or looked.throttled:
        return None
    return "possible", f"{waited}, while the busiest of its threads used {looked.busiest_thread:.0%} of a core"


def _quota(result: TrialResult, looked: Looked) -> _Seen:
    if looked.throttled < 0.05:
        return None
    return "sure", f"its control group kept it from running in {looked.throttled:.0%} of its periods"


def _own_limit(result: TrialResult, looked: Looked) -> _Seen:
    said = {name: count for name, count in result.seen.fans.failures.items() if name.startswith(_REFUSALS)}
    if not said:
        return None
    most = max(said, key=lambda name: said[name])
    return "sure", f"it turned {sum(said.values()):,} clients away itself ({most.replace('_', ' ')})"


def _conntrack(result: TrialResult, looked: Looked) -> _Seen:
    if looked.conntrack is None or looked.conntrack[0] < 0.95 * looked.conntrack[1]:
        return None
    used, most = looked.conntrack
    return "sure", f"{used:,} of {most:,} connections are in it"


def _ports(result: TrialResult, looked: Looked) -> _Seen:
    without = result.seen.fans.failures.get("no_port", 0)
    return ("sure", f"{without:,} clients had no local port left") if without else None


_Rule = Callable[[TrialResult, Looked], _Seen]
RULES: tuple[tuple[str, _Rule], ...] = (
    ("ports", _ports),
    ("open-files", _open_files),
    ("memory", _by_bound("memory", "sure")),
    ("conntrack", _conntrack),
    ("own-limit", _own_limit),
    ("backlog", _backlog),
    ("somaxconn", _somaxconn),
    ("quota", _quota),
    ("log", _waiting(_LOG_CALLS, "writing")),
    ("disk", _waiting(_DISK_CALLS, "waiting for the disk")),
    ("sleep", _waiting(_SLEEP_CALLS, "asleep")),
    ("waits-for-others", _waiting(_SOCKET_CALLS, "waiting for another server")),
    ("lock", _waiting(_LOCK_CALLS, "waiting for another thread")),
    ("one-core", _one_core),
    ("all-cores", _all_cores),
    ("accepts-slowly", _accepts_slowly),
    ("one-store-connection", _one_store_connection),
    ("idle", _idle),
    ("other-load", _by_bound("other load", "likely")),
)
