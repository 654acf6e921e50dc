"""For all tests: Ctrl-C reaches the programs that they start, and what those leave behind goes with the tests.

A shell starts what runs in the background with SIGINT ignored, and so does nohup; programs inherit that, and would wait
for ever in a test that interrupts them.
"""

import itertools
import random
import signal
import tempfile
from collections.abc import Iterator

import pytest

from tests.leftovers import processes, processes_of_the_module

__all__ = ["processes", "processes_of_the_module"]  # fixtures of every test

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run modules, and the tests of each, in random order")


@pytest.hookimpl(tryfirst=True)  # pytest itself then brings together again what shares a fixture with a parameter
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed: int | None = config.getoption("shuffle")
    if seed is None:
        return
    random.Random(seed).shuffle(items)  # noqa: S311 - xdist's workers must all come to the same order
    modules: dict[object, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    items[:] = itertools.chain(*modules.values())


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
