"""What bound first: the one limit that explains a trial best, with the evidence. Pure.

The order is that of cause before effect. A generator that could not keep up explains everything after it, and then a
server that ended, or one of its processes, a node say, if fans were harmed. A server without files, or without memory,
stops accepting, so its accept queue overflows *because* of that; and an accept queue that is shorter than a wave drops
connections however idle the CPU is. Where the busiest process is a Redis, more CPU for the server would not help. What
the CPU cannot explain either is named by the SLO.
"""

from collections.abc import Callable
from dataclasses import dataclass

from common.store.process import REDIS_PROGRAMS
from common.tuning.open_files import kept_files
from harness.records.asked import AskedLoad
from harness.records.seen import Seen
from harness.records.trial import Bound, Validity, Verdict
from harness.records.usage import GeneratorSeen, Host, ServerSeen

BUSY = 0.95
"""Share of a core, or of all cores, from which on the CPU counts as used up."""

SCARCE = 0.03
"""Share of the machine's memory below which the kernel begins to reclaim in earnest."""

SYN_RETRY_S = 0.95
"""From here on a response may hold a repeated SYN or SYN-ACK, which waits a second (RFC 6298, 2.1), less a tick."""

_SPARE_FILES = 2
"""Files by which a server may stay below its limit when it has none for a fan, besides those that it keeps for others:
one kept back, one just closed."""


@dataclass(frozen=True, slots=True)
class Observations:
    """All that is known of a trial. `server` is None when nobody could look at it; `cores` are the machine's.

    `server_cores` is how many the server was kept on, None where it had them all.
    """

    load: AskedLoad
    seen: Seen
    generator: GeneratorSeen
    server: ServerSeen | None
    host: Host
    cores: int
    memory_bytes: int
    validity: Validity
    verdict: Verdict
    server_cores: int | None = None
    interrupted: bool = False


def first_bound(trial: Observations) -> Bound:
    """Return what bound first; `nothing` where no limit was reached."""
    for name, rule in _RULES:
        evidence = rule(trial)
        if evidence is not None:
            return Bound(name=name, evidence=evidence)
    return Bound(name="nothing", evidence=f"all {trial.seen.fans.asked:,} fans were served and no limit was reached")


def _interruption(trial: Observations) -> str | None:
    return trial.validity.reasons[0] if trial.interrupted else None


def _generator(trial: Observations) -> str | None:
    return trial.validity.reasons[0] if trial.validity.reasons else None


def _server_ended(trial: Observations) -> str | None:
    return None if trial.server is None else trial.server.ended


def _process_ended(trial: Observations) -> str | None:
    if trial.server is None or not trial.server.ended_processes:
        return None
    delivery, reconnects = trial.seen.delivery, trial.seen.reconnects
    was_cut = reconnects is not None and reconnects.lost > 0
    if trial.seen.fans.failed == 0 and not was_cut and (delivery is None or delivery.lost + delivery.unposted == 0):
        return None
    first, *others = sorted(trial.server.ended_processes, key=lambda process: process.at_s)
    more = f", and {len(others):,} more later" if others else ""
    return f"{first.name} (process {first.pid}) of the server ended {first.at_s:.1f} s after the first start{more}"


def _open_files(trial: Observations) -> str | None:
    server = trial.server
    if server is None or server.fullest_limit == 0:
        return None
    if server.fullest_open_files < server.fullest_limit - kept_files(server.fullest_limit) - _SPARE_FILES:
        return None
    return f"{server.fullest_name} had {server.fullest_open_files:,} of {server.fullest_limit:,} files open"


def _memory(trial: Observations) -> str | None:
    left = trial.host.memory_available_min_bytes
    if left >= SCARCE * trial.memory_bytes:
        return None
    return f"{left / 2**20:,.0f} MiB of the machine's {trial.memory_bytes / 2**20:,.0f} MiB were left"


def _accept_queue(trial: Observations) -> str | None:
    drops = max(trial.host.listen_overflows, trial.host.listen_drops)
    intended = trial.seen.response.intended
    # The counts are the whole machine's. Whoever was turned away here tried again after a second, or never got in.
    delayed = trial.seen.fans.failed > 0 or (intended is not None and intended.max_s >= SYN_RETRY_S)
    if drops == 0 or not delayed:
        return None
    return (
        f"the kernel turned connection attempts away {drops:,} times because a listener's accept queue was full "
        f"(waves of {trial.load.c:,}); the backlog is too short, or the server accepts too slowly"
    )


def _redis(trial: Observations) -> str | None:
    server = trial.server
    if server is None or not server.busiest_name.startswith(REDIS_PROGRAMS) or server.busiest_cpu_peak < BUSY:
        return None
    used = f"{server.busiest_name} used {server.busiest_cpu_peak:.0%} of a core in its busiest half second"
    return f"{used}: it runs its commands in one thread"


def _cpu(trial: Observations) -> str | None:
    server = trial.server
    if server is not None and server.busiest_cpu_peak >= BUSY:
        return f"{server.busiest_name} used {server.busiest_cpu_peak:.0%} of a core in its busiest half second"
    pinned = trial.server_cores
    if server is not None and pinned is not None and server.cpu_peak >= BUSY * pinned:
        return f"the server used {server.cpu_peak:.1f} cores and was kept on {pinned}"
    if _all_cores_busy(trial) and (server is None or _ours(trial, server) >= trial.host.cpu_peak / 2):
        own = "" if server is None else f", {server.cpu_peak:.1f} of them by the server"
        return f"{trial.host.cpu_peak:.1f} of the machine's {trial.cores} cores were in use{own}"
    return None


def _other_load(trial: Observations) -> str | None:
    if trial.server is None or not _all_cores_busy(trial):
        return None
    return (
        f"{trial.host.cpu_peak:.1f} of the machine's {trial.cores} cores were in use, "
        f"but only {_ours(trial, trial.server):.1f} by the server and the generator: something else is running"
    )


def _all_cores_busy(trial: Observations) -> bool:
    return trial.host.cpu_peak >= BUSY * trial.cores


def _ours(trial: Observations, server: ServerSeen) -> float:
    generator = trial.generator
    at_most = generator.cpu_share * generator.processes
    return server.cpu_peak + (at_most if generator.cpu_total is None else generator.cpu_total)


def _slo(trial: Observations) -> str | None:
    return f"no resource was used up, but {', '.join(trial.verdict.broken)}" if trial.verdict.broken else None


_Rule = Callable[[Observations], str | None]
_RULES: tuple[tuple[str, _Rule], ...] = (
    ("interruption", _interruption),
    ("generator", _generator),
    ("server ended", _server_ended),
    ("process ended", _process_ended),
    ("open files", _open_files),
    ("memory", _memory),
    ("accept queue", _accept_queue),
    ("Redis", _redis),
    ("CPU", _cpu),
    ("other load", _other_load),
    ("SLO", _slo),
)
