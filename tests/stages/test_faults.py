"""What a server breaks in itself for a measurement, and that nobody else can."""

from __future__ import annotations

import pytest

from stages.faults import CrashRate, FaultsError, SupervisorCrash, parse_faults


def test_faults_are_read() -> None:
    assert parse_faults("") == ()
    assert parse_faults("client=1%/s, user-supervisor@2.5s") == (CrashRate("client", 0.01), SupervisorCrash("user", 2.5))


@pytest.mark.parametrize("text", ["client", "client=1%", "match=1%/s", "supervisor@5s", "client-supervisor=1%/s"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(FaultsError, match="is no fault: write for example client=1%/s,client-supervisor@2s"):
        parse_faults(text)
