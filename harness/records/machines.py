"""In what two machines differ, as far as figures from one say nothing of the other. Pure."""

from collections.abc import Mapping

from harness.records.machine import Machine

_ALIKE = 0.01
"""Two amounts of memory that differ by less are the same: the kernel takes its part first."""


def differences(a: Machine, b: Machine) -> tuple[str, ...]:
    """Return a sentence for each difference that can move a figure. The commit is not one: it is what is compared."""
    found = [
        f"the {what} differs: {one} in A, {other} in B"
        for what, one, other in (
            ("kernel", a.kernel, b.kernel),
            ("CPU", a.cpu_model, b.cpu_model),
            ("number of cores", a.cores, b.cores),
            ("Python", a.python, b.python),
        )
        if one != other
    ]
    if abs(a.memory_bytes - b.memory_bytes) > _ALIKE * max(a.memory_bytes, b.memory_bytes):
        found.append(f"the memory differs: {a.memory_bytes / 2**30:.1f} GiB in A, {b.memory_bytes / 2**30:.1f} in B")
    if a.limits.get("open_files") != b.limits.get("open_files"):
        found.append("the limit of open files differs")
    for what, one, other in (("kernel settings", a.sysctls, b.sysctls), ("versions", a.versions, b.versions)):
        names = _differing(one, other)
        if names:
            found.append(f"{what} differ: {', '.join(names)}")
    return tuple(found)


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [
        f"{name} ({one.get(name, 'none')} in A, {other.get(name, 'none')} in B)"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
