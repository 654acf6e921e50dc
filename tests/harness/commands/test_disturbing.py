"""The options of what else happens are read, or refused in one line."""

import pytest

from harness.commands.disturbing import Disturbing
from harness.commands.options import AskedError
from harness.records.asked import Disturbances


def test_nothing_is_asked_for_by_default() -> None:
    assert Disturbing().disturbances() == Disturbances()


def test_all_are_read() -> None:
    given = Disturbing(
        churn="5%/s",
        slow="2.5%",
        reset="2000@10s",
        arrivals_during_events=True,
        joining="5000/500",
        storm="50%@30s/5s",
        reconnect="500ms..10s",
        redis_latency="2ms",
        faults="client=1%/s",
        small_buffers=True,
        small_queues=True,
        open_files=2_048,
        stop_nodes="1@500ms",
    )
    assert given.disturbances() == Disturbances(
        churn_per_s=0.05,
        slow=0.025,
        reset=2000,
        reset_at_s=10.0,
        arrivals_during_events=True,
        redis_latency_s=0.002,
        redis_latency_by="proxy",
        faults="client=1%/s",
        small_buffers=True,
        small_queues=True,
        open_files=2_048,
        stops=1,
        stop_at_s=0.5,
        joining=5_000,
        joining_c=500,
        storm=0.5,
        storm_at_s=30.0,
        storm_within_s=5.0,
        reconnect_base_s=0.5,
        reconnect_cap_s=10.0,
    )
    assert Disturbing(storm="5%@500ms").disturbances() == Disturbances(storm=0.05, storm_at_s=0.5, storm_within_s=1.0)
    assert Disturbing(reconnect="1s").disturbances() == Disturbances(reconnect_base_s=1.0, reconnect_cap_s=30.0)
    assert Disturbing(reconnect="1m").disturbances() == Disturbances(reconnect_base_s=60.0, reconnect_cap_s=60.0)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Disturbing(churn="5%"), r"--churn 5%: say how many leave in a second, such as 5%/s"),
        (Disturbing(churn="101%/s"), r"--churn 101%: a share of the fans is above 0% and at most 100%, such as 5%/s"),
        (Disturbing(slow="0%"), r"--slow 0%: a share"),
        (Disturbing(slow="five"), r"--slow five: a share"),
        (Disturbing(reset="2000"), r"--reset 2000: say how many fans and when, such as 2000@10s"),
        (Disturbing(reset="0@1s"), r"--reset 0@1s: say how many"),
        (Disturbing(reset="10@soon"), r"--reset 10@soon: 'soon' is no duration"),
        (Disturbing(stop_nodes="1"), r"--stop-nodes 1: say how many nodes and when, such as 1@1s"),
        (Disturbing(joining="5000"), r"--joining 5000: say how many fans, and how many of them come at once"),
        (Disturbing(joining="5000/0"), r"--joining 5000/0: say how many fans"),
        (Disturbing(storm="50%"), r"--storm 50%: say what share of the fans, and when, such as 50%@30s"),
        (Disturbing(storm="0%@1s"), r"--storm 0%: a share of the fans"),
        (Disturbing(storm="5%@1s/"), r"--storm 5%@1s/: '' is no duration"),
        (Disturbing(reconnect=""), r"--reconnect : '' is no duration"),
        (Disturbing(reconnect="1s.."), r"--reconnect 1s\.\.: '' is no duration"),
        (Disturbing(reconnect="0s..1s"), r"--reconnect 0s\.\.1s: the wait begins above 0"),
        (Disturbing(reconnect="2s..1s"), r"--reconnect 2s\.\.1s: the wait begins above 0 and does not become shorter"),
        (Disturbing(redis_latency="2s"), r"--redis-latency 2s: above 0 and at most 1s, such as 2ms"),
        (Disturbing(redis_latency="2"), r"--redis-latency 2: '2' is no duration"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(given: Disturbing, reason: str) -> None:
    with pytest.raises(AskedError, match=reason) as caught:
        given.disturbances()
    assert "\n" not in str(caught.value)
