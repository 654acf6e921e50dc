"""For all tests: Ctrl-C reaches the programs that they start, and what those leave behind goes with the tests.

A shell starts what runs in the background with SIGINT ignored, and so does nohup; programs inherit that, and would wait
for ever in a test that interrupts them.
"""

import signal
import tempfile
from collections.abc import Iterator

import pytest

from tests.leftovers import processes, processes_of_the_module

__all__ = ["processes", "processes_of_the_module"]  # fixtures of every test

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def temporary_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have all temporary files made in one directory: a server that a test kills removes none of its own."""
    tmp_path_factory.getbasetemp()  # pytest's stays where it is, for whoever looks at it afterwards
    with (
        tempfile.TemporaryDirectory(prefix="matchstream-tests-", ignore_cleanup_errors=True) as directory,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", directory)
        patch.setattr(tempfile, "tempdir", None)  # where it has looked already
        yield
