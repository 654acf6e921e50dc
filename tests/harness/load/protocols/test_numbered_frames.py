from hypothesis import given

from common.wire import frames
from harness.load.protocols.catalogue import reader_of, resuming
from harness.load.protocols.reader import Callbacks, Completeness
from harness.load.workload import Protocol
from harness.targets.target import match_stream_dialogue
from tests.harness.load.protocols.receiving import cut, cuts

FAN = 3
EPOCH = 1_796_127_176_791_620
DIALOGUE = match_stream_dialogue("elp-tig-2011-09-10", numbers=True)
STATUS = frames.numbered(b"2011-09-10 13:00:00: status:\n\thome: elp\n\r\n", 4, EPOCH)


def event(number: int) -> bytes:
    frame = f"2011-09-10 13:00:00: shot:\n\tteam: tig\n\tcomment: #{number}\n\r\n".encode()
    return frames.numbered(frame, number + 10, EPOCH + number)


class Hearer:
    """Fans who hear, where each is, and what numbers it received."""

    def __init__(self) -> None:
        self.places: dict[int, bytes] = {}
        self.numbers: list[int] = []
        self.reader = reader_of(
            DIALOGUE,
            Callbacks(
                lambda _, number, __: self.numbers.append(number),
                lambda *_: None,
                lambda _, text: text,
                self.places.__setitem__,
            ),
        )

    def be_answered(self, chunks: list[bytes], fan: int = FAN) -> None:
        """Hear an answer, and whatever follows it."""
        heard = Completeness.PART
        for chunk in chunks:
            rest = chunk
            if heard is Completeness.PART:
                heard, rest = self.reader.answer(fan, chunk)
            if rest:
                self.numbers += self.reader.sequences(fan, rest, 0.0)
        assert heard is Completeness.COMPLETE


@given(cuts)
def test_a_fan_is_at_the_last_frame_that_it_had_whole_however_that_is_cut(at: list[int]) -> None:
    hearer = Hearer()
    hearer.be_answered([*cut(STATUS + event(1) + event(2), at), event(3)[:-1]])
    assert hearer.places == {FAN: b"12:%d" % (EPOCH + 2)}
    hearer.numbers += hearer.reader.sequences(FAN, event(3)[-1:], 0.0)
    assert (hearer.numbers, hearer.places[FAN], hearer.reader.kept) == ([1, 2, 3], b"13:%d" % (EPOCH + 3), 0)


@given(cuts)
def test_what_was_missed_follows_the_answer_of_who_comes_back(at: list[int]) -> None:
    hearer = Hearer()
    hearer.be_answered([frames.resumed_line(0, 12)])
    assert hearer.places == {}
    hearer.be_answered(cut(frames.resumed_line(2, 12) + event(3) + event(4), at), fan=FAN + 1)
    assert (hearer.numbers, hearer.places) == ([3, 4], {FAN + 1: b"14:%d" % (EPOCH + 4)})


def test_all_fans_are_told_where_they_are_by_the_same_bytes() -> None:
    hearer = Hearer()
    for fan in range(3):
        hearer.be_answered([STATUS], fan)
        hearer.reader.sequences(fan, event(1), 0.0)
    assert hearer.places == dict.fromkeys(range(3), b"11:%d" % (EPOCH + 1))
    hearer.reader.sequences(0, event(2)[:-1], 0.0)
    assert hearer.reader.kept
    hearer.reader.forget(0)
    assert hearer.reader.kept == 0


def test_who_comes_back_says_so_in_its_protocol() -> None:
    assert DIALOGUE.hello == b"V:3:{user}:elp-tig-2011-09-10\n"
    assert resuming(DIALOGUE, DIALOGUE.hello, b"12:5") == b"V:3:{user}:elp-tig-2011-09-10:12:5\n"
    assert resuming(DIALOGUE, DIALOGUE.hello, b"") == DIALOGUE.hello
    assert DIALOGUE.protocol is Protocol.LINES
