"""Which commands count visits, and when they look at how many names there are. (What Redis does: `tests.stages`.)"""

from common.store.visits import LOOK_EVERY, Visits


def test_each_visit_is_counted_by_a_command_of_its_own() -> None:
    first, second, look = Visits("{0}").count(["ana", b"bea"])
    assert first == ("HINCRBY", "{0}visits", "ana", 1)
    assert second == ("HINCRBY", "{0}visits", b"bea", 1)
    assert (look[0], *look[2:5]) == ("EVAL", 2, "{0}visits", "{0}visits:older")


def test_visits_whose_counts_nobody_asks_for_are_counted_by_one_command() -> None:
    (name, _, *rest), look = Visits("{0}").count_silently(["ana", b"bea"])
    assert (name, *rest) == ("EVAL", 1, "{0}visits", "ana", b"bea")
    assert (look[0], *look[2:5]) == ("EVAL", 2, "{0}visits", "{0}visits:older")


def test_a_process_looks_at_the_size_at_its_first_visit_and_then_every_so_many() -> None:
    visits = Visits("")
    looks = [number for number in range(2 * LOOK_EVERY + 2) if len(visits.count(["ana"])) > 1]
    assert looks == [0, LOOK_EVERY, 2 * LOOK_EVERY]
    visits.count_silently(["ana"] * (LOOK_EVERY - 2))
    assert len(visits.count_silently(["ana", "bea"])) == 2, "in the same exchange as those who make it full"
