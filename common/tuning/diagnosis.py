"""What bounds a server on a machine: from limits that were read to ceilings, each with the lines that raise it. Pure.

A ceiling of fans is raised to who is expected, and left alone where they fit; where nobody knows, to twice what it
allows. A profile's number is taken where it is larger. What counts something else is raised as far as the profile asks.
"""

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from common.tuning.ceilings import Ceiling, Counts, Diagnosis, Needs
from common.tuning.cgroup import Room
from common.tuning.host_limits import HostLimits
from common.tuning.open_files import kept_files
from common.tuning.profile import numbers_in
from common.tuning.sysctl import Finding

_NO_LIMIT: Final = 2**62
"""From here on a number is none: systemd sets fs.file-max to the largest that there is."""
_RANGE: Final = "net.ipv4.ip_local_port_range"
_RESERVED: Final = "net.ipv4.ip_local_reserved_ports"


def diagnose(
    host: HostLimits,
    needs: Needs,
    advice: Mapping[str, Finding],
    *,
    expected: int | None = None,
    listeners: Iterable[range] = (),
) -> Diagnosis:
    """Return the ceilings of a machine for a server that listens on some ranges of ports.

    `advice` is what profiles say of settings, by name.
    """
    case = _Case(host, needs, advice, expected)
    found = [ceiling for rule in _RULES if (ceiling := rule(case)) is not None]
    return Diagnosis(
        ceilings=tuple(sorted(found, key=_met_first)),
        expected=expected,
        warnings=_held_by_clients(case, listeners),
    )


def _met_first(ceiling: Ceiling) -> tuple[bool, int]:
    bounds = ceiling.counts is Counts.FANS and ceiling.allows is not None
    return not bounds, (ceiling.allows or 0) if bounds else 0


@dataclass(frozen=True, slots=True)
class _Case:
    host: HostLimits
    needs: Needs
    advice: Mapping[str, Finding]
    expected: int | None

    def numbers(self, name: str) -> tuple[int, ...]:
        return numbers_in(self.host.sysctls.get(name, ""))

    def number(self, name: str) -> int | None:
        return next(iter(self.numbers(name)), None)

    def raised(self, name: str, *needed: int) -> tuple[str, ...]:
        """Return the line that sets a setting to what is needed, or to the profile's numbers where they are larger."""
        target = numbers_in(self.advice[name].target) if name in self.advice else ()
        numbers = tuple(map(max, zip(needed, target, strict=True))) if len(target) == len(needed) else needed
        return (_sysctl(name, " ".join(map(str, numbers))),)

    def as_advised(self, name: str) -> tuple[str, ...]:
        """Return the line that sets a setting as its profile asks; none if it is so, or has no profile."""
        found = self.advice.get(name)
        return () if found is None or found.now in {None, found.target} else (_sysctl(name, found.target),)

    def fans(
        self, name: str, now: str, allows: int, lines: Callable[[int], tuple[str, ...]], counts: Counts = Counts.FANS
    ) -> Ceiling:
        """Return a ceiling of fans; `lines` raise it to the number that they are given."""
        allows = max(0, allows)
        aim = 2 * max(1, allows) if self.expected is None else self.expected
        return self.ceiling(name, name, now, counts, allows, lines(aim) if aim > allows else ())

    def ceiling(  # noqa: PLR0913, PLR0917  # what a ceiling has
        self, name: str, setting: str, now: str, counts: Counts, allows: int | None, change: tuple[str, ...] = ()
    ) -> Ceiling:
        """Return a ceiling, with the reason of the profile that knows the setting."""
        reason = self.advice[setting].setting.reason if setting in self.advice else ""
        return Ceiling(name=name, now=now, counts=counts, allows=allows, change=change, reason=reason)

    def files_for(self, fans: int) -> int:
        """Return with how many open files a process can have its share of so many fans."""
        return -(-fans // self.needs.processes) + self.needs.own_files + kept_files(sys.maxsize)

    def fans_in(self, size: int) -> int:
        return (size - self.needs.standing_bytes) // self.needs.fan_bytes

    def bytes_for(self, fans: int) -> int:
        return self.needs.standing_bytes + fans * self.needs.fan_bytes


def _open_files(case: _Case) -> Ceiling:
    needs, hard = case.needs, case.host.open_files.hard
    limit = min(needs.open_files, hard)

    def lines(aim: int) -> tuple[str, ...]:
        wanted, spread = min(case.files_for(aim), needs.open_files), needs.spread or needs
        each = _fans_with(hard, spread)
        own = (f"ulimit -n {wanted}", f"LimitNOFILE={wanted}") if wanted > hard else (needs.more_open_files,)
        return (*filter(None, own), *([f"{spread.more_processes} {-(-aim // each)}"] if each else ()))

    by = "as the stage asks" if limit < hard else "the hard limit"
    processes = f" in each of {needs.processes:,} processes" if needs.processes > 1 else ""
    return case.fans("open files", f"{limit:,} ({by}){processes}", _fans_with(hard, needs) * needs.processes, lines)


def _nr_open(case: _Case) -> Ceiling | None:
    name = "fs.nr_open"
    if (most := case.number(name)) is None:
        return None
    allows = _fans_of(most, case.needs) * case.needs.processes
    return case.fans(name, f"{most:,} a process", allows, lambda aim: case.raised(name, case.files_for(aim)))


def _file_max(case: _Case) -> Ceiling | None:
    name = "fs.file-max"
    most = case.number(name)
    if most is None or most >= _NO_LIMIT:
        return None
    used = case.number("fs.file-nr") or 0
    others = used + case.needs.processes * case.needs.own_files
    return case.fans(name, _of(most, used), most - others, lambda aim: case.raised(name, aim + others))


def _memory(case: _Case) -> Ceiling | None:
    available = case.host.memory_available
    if available is None:
        return None
    now = f"{_mib(available)} available, {case.needs.fan_bytes:,} bytes a fan"
    return case.fans(
        "memory", now, case.fans_in(available), lambda aim: (f"make {_mib(case.bytes_for(aim))} available",)
    )


def _group_memory(case: _Case) -> Ceiling | None:
    room = case.host.memory
    if room is None:
        return None

    def lines(aim: int) -> tuple[str, ...]:
        limit = room.used + case.bytes_for(aim)
        return (_echo(limit, room), f"MemoryMax={limit}")

    now = f"{_mib(room.limit)}, {_mib(room.used)} in use"
    return case.fans(f"cgroup {room.file.name}", now, case.fans_in(room.left), lines)


def _group_tasks(case: _Case) -> Ceiling | None:
    room, needs = case.host.tasks, case.needs
    if room is None:
        return None
    each = _fans_with(case.host.open_files.hard, needs)

    def lines(aim: int) -> tuple[str, ...]:
        processes = -(-aim // each) if each else needs.processes
        limit = room.used + needs.other_tasks + needs.tasks * processes
        return (_echo(limit, room), f"TasksMax={limit}")

    processes = max(0, room.left - needs.other_tasks) // needs.tasks
    now = f"{_of(room.limit, room.used)}: {processes:,} processes"
    return case.fans(f"cgroup {room.file.name}", now, processes * each, lines)


def _tcp_mem(case: _Case) -> Ceiling | None:
    name = "net.ipv4.tcp_mem"
    numbers, used = case.numbers(name), case.host.tcp_pages
    if len(numbers) != 3:
        return None
    low, pressure, most = numbers
    return case.fans(
        name,
        f"{_of(most, used)}: pages of memory",
        most - used,  # a page is the least that a connection takes with anything unread
        lambda aim: case.raised(name, low, pressure, aim + used),
        Counts.UNREAD,
    )


def _conntrack(case: _Case) -> Ceiling | None:
    name = "net.netfilter.nf_conntrack_max"
    if (most := case.number(name)) is None:
        return None
    used = case.number("net.netfilter.nf_conntrack_count") or 0
    if used == 0:  # the module is there, but no rule has it track anything: not even whoever is logged in
        return case.ceiling(name, name, f"{most:,}; nothing is tracked now", Counts.FANS, None)
    return case.fans(name, _of(most, used), most - used, lambda aim: case.raised(name, aim + used))


def _client_ports(case: _Case) -> Ceiling | None:
    clients, ports = _clients(case), case.needs.ports
    if not clients:
        return None
    now = f"{case.host.sysctls[_RANGE]}: {len(clients):,} to {_each(ports)}"
    return case.ceiling(_RANGE, _RANGE, now, Counts.OF_ONE_ADDRESS, len(clients) * ports, case.as_advised(_RANGE))


def _accept_queue(case: _Case) -> Ceiling | None:
    name, needs = "net.core.somaxconn", case.needs
    if (most := case.number(name)) is None:
        return None
    length, is_cut = min(needs.backlog, most), most < needs.backlog
    now = f"{length:,} ({name if is_cut else 'as the stage asks'}) on {_each(needs.ports)}"
    allows = (length + 1) * needs.ports  # full is what has more than so many (sk_acceptq_is_full in the kernel)
    change = case.as_advised(name) if is_cut else tuple(filter(None, [needs.more_backlog]))
    return case.ceiling("accept queue", name, now, Counts.AT_ONCE, allows, change)


def _syn_backlog(case: _Case) -> Ceiling | None:
    name, cookies, ports = "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies", case.needs.ports
    if (most := case.number(name)) is None:
        return None
    if case.number(cookies) != 0:
        return case.ceiling(name, name, f"{most:,}; nothing while {cookies} is on", Counts.AT_ONCE, None)
    now, allows = f"{most:,} on {_each(ports)}", most * 3 // 4 * ports
    return case.ceiling(name, name, now, Counts.AT_ONCE, allows, case.as_advised(name))


def _clients(case: _Case) -> frozenset[int]:
    """Return the ports that the kernel gives to clients, without those that it is told to leave out (ip(7))."""
    numbers = case.numbers(_RANGE)
    ends = [part.split("-") for part in case.host.sysctls.get(_RESERVED, "").split(",") if part]
    reserved = [range(int(each[0]), int(each[-1]) + 1) for each in ends]
    return frozenset(range(numbers[0], numbers[1] + 1) if len(numbers) == 2 else ()).difference(*reserved)


def _held_by_clients(case: _Case, listeners: Iterable[range]) -> tuple[str, ...]:
    """Return what to say of listeners some of whose ports the kernel may give to a client before they are opened."""
    clients = _clients(case)
    ports = ",".join(f"{one[0]}-{one[-1]}" for one in listeners if not clients.isdisjoint(one))
    if not ports:
        return ()
    line = _sysctl(_RESERVED, ",".join(filter(None, [case.host.sysctls.get(_RESERVED), ports])))
    return (f"a client may hold one of the ports {ports} when the server starts: choose lower ones, or {line}",)


def _fans_with(hard: int, needs: Needs) -> int:
    """Return how many fans each process can have where the hard limit of open files is that."""
    return _fans_of(min(needs.open_files, hard), needs)


def _fans_of(files: int, needs: Needs) -> int:
    """Return how many fans a process can have with so many open files."""
    return max(0, files - kept_files(files) - needs.own_files)


def _each(ports: int) -> str:
    return "1 port" if ports == 1 else f"each of {ports:,} ports"


def _sysctl(name: str, value: str) -> str:
    return f'sysctl -w {name}="{value}"' if " " in value else f"sysctl -w {name}={value}"


def _echo(limit: int, room: Room) -> str:
    return f"echo {limit} > {shlex.quote(str(room.file))}"


def _of(most: int, used: int) -> str:
    return f"{most:,}, {used:,} in use"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


_RULES: Final[tuple[Callable[[_Case], Ceiling | None], ...]] = (
    _open_files,
    _nr_open,
    _file_max,
    _memory,
    _group_memory,
    _group_tasks,
    _tcp_mem,
    _conntrack,
    _client_ports,
    _accept_queue,
    _syn_backlog,
)
