import msgspec
import pytest

from harness.records.machine import Limit
from harness.records.machines import differences
from tests.harness.results import a_machine

MACHINE = a_machine()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kernel": "Linux 7"}, "the kernel differs: Linux 6.1 in A, Linux 7 in B"),
        ({"cpu_model": "Another"}, "the CPU differs: A processor in A, Another in B"),
        ({"cores": 4}, "the number of cores differs: 2 in A, 4 in B"),
        ({"memory_bytes": 12 * 2**30}, "the memory differs: 24.0 GiB in A, 12.0 in B"),
        ({"limits": {"open_files": Limit(1024, 1024)}}, "the limit of open files differs"),
        ({"python": "CPython 3.12"}, "the Python differs: CPython 3.11.7 in A, CPython 3.12 in B"),
        ({"sysctls": {}}, "kernel settings differ: net.core.somaxconn (4096 in A, none in B)"),
        ({"versions": {"uvloop": "0.22"}}, "versions differ: uvloop (0.21.0 in A, 0.22 in B)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_difference_is_told(change: dict[str, object], says: str) -> None:
    assert differences(MACHINE, msgspec.structs.replace(MACHINE, **change)) == (says,)


@pytest.mark.parametrize("change", [{}, {"commit": "abc"}, {"memory_bytes": 24 * 2**30 + 4096}])
def test_what_moves_no_figure_is_not(change: dict[str, object]) -> None:
    assert differences(MACHINE, msgspec.structs.replace(MACHINE, **change)) == ()
