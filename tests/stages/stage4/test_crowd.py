"""A crowd against three sets: who was sent the event, who is due, who is new; whoever comes and leaves in between."""

from __future__ import annotations

from array import array

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stages.stage4.crowd import Crowd

MOST = 40
"""Descriptors that there are: few, so that they are used again."""


class CrowdMachine(RuleBasedStateMachine):
    """Everyone who is due is taken once, and nobody else; two crowds share one array of positions."""

    def __init__(self) -> None:
        super().__init__()
        position = array("i", bytes(4 * MOST))
        self.crowd, self.other = Crowd(position), Crowd(position)
        self.sent: set[int] = set()
        self.due: set[int] = set()
        self.new: set[int] = set()
        self.elsewhere: set[int] = set()

    @property
    def here(self) -> set[int]:
        """All who are in the crowd."""
        return self.sent | self.due | self.new

    def free(self) -> list[int]:
        """Return the descriptors of nobody."""
        return sorted({*range(MOST)} - self.here - self.elsewhere)

    @precondition(lambda self: self.free())
    @rule(data=st.data(), is_here=st.booleans())
    def comes(self, data: st.DataObject, is_here: bool) -> None:
        fd = data.draw(st.sampled_from(self.free()))
        (self.crowd if is_here else self.other).add(fd)
        (self.new if is_here else self.elsewhere).add(fd)

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        fd = data.draw(st.sampled_from(sorted(self.here)))
        self.crowd.remove(fd)
        for part in (self.sent, self.due, self.new):
            part.discard(fd)

    @precondition(lambda self: self.elsewhere)
    @rule(data=st.data())
    def leaves_the_other(self, data: st.DataObject) -> None:
        fd = data.draw(st.sampled_from(sorted(self.elsewhere)))
        self.other.remove(fd)
        self.elsewhere.discard(fd)

    @rule()
    def an_event_begins(self) -> None:
        self.crowd.begin()
        self.sent, self.due, self.new = set(), self.here, set()

    @rule(most=st.integers(1, MOST))
    def a_piece_is_sent(self, most: int) -> None:
        piece = [*self.crowd.take(most)]
        assert len(piece) == len({*piece}) == min(most, len(self.due))
        assert self.due.issuperset(piece)
        self.due.difference_update(piece)
        self.sent.update(piece)

    @invariant()
    def all_are_there_once(self) -> None:
        assert sorted(self.crowd.all()) == sorted(self.here)
        assert sorted(self.other.all()) == sorted(self.elsewhere)
        assert len(self.crowd) == len(self.here)

    def teardown(self) -> None:
        """The rest goes to all who are still due."""
        assert sorted(self.crowd.take(MOST)) == sorted(self.due)
        assert not self.crowd.take(MOST)


CrowdMachine.TestCase.settings = settings(deadline=None)
TestCrowd = CrowdMachine.TestCase


def test_what_was_taken_stays_as_it_is_when_fans_leave() -> None:
    crowd = Crowd(array("i", bytes(4 * MOST)))
    for fd in range(10):
        crowd.add(fd)
    crowd.begin()
    piece = crowd.take(4)
    for fd in piece:  # who turns out gone while a piece is sent
        crowd.remove(fd)
    assert [*piece] == [0, 1, 2, 3]
    assert sorted(crowd.take(10)) == [4, 5, 6, 7, 8, 9]
