"""Whether the tests may make network namespaces: as root, and where a container allows it."""

import pytest

from harness.trial.placement.errors import PlacementError
from harness.trial.placement.namespaces import joined_namespaces


def is_possible() -> bool:
    try:
        with joined_namespaces():
            return True
    except PlacementError:
        return False


needs_namespaces = pytest.mark.skipif(not is_possible(), reason="needs root, and network namespaces")
