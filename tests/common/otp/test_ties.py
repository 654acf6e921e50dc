"""What is held of others, against a set."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from common.otp.ties import tied, untied


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12))))
def test_it_is_a_set_whatever_it_is_made_of(steps: list[tuple[bool, int]]) -> None:
    ties, model = (), set[int]()
    for adds, one in steps:
        ties = tied(ties, one) if adds else untied(ties, one)  # type: ignore[assignment]  # any collection
        (model.add if adds else model.discard)(one)
        assert sorted(ties) == sorted(model)


def test_a_few_take_less_than_any_set_and_none_takes_nothing() -> None:
    assert sys.getsizeof(tied(tied((), 1), 2)) < sys.getsizeof(set())
    many = tied((), 0)
    for number in range(100):
        many = tied(many, number)
    assert isinstance(many, set), "so that each of 17,000 is found at once"
    for number in range(100):
        many = untied(many, number)
    assert isinstance(many, tuple)
