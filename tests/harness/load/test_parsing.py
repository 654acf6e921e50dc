import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.wire.frames import GOODBYE
from harness.load.parsing import MAX_PENDING, Completeness, Reader
from tests.harness.known_servers import DIALOGUE, ERROR, STATUS, WELCOME, event

FAN = 3
PLAIN = b"2011-09-10 18:05:00: goal:\n\tteam: tig\n\tcomment: none\n\r\n"
NEARLY = b"\tcomment: \tcomment: #\tcomment: #x\tcomm\n"


def _cut(text: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(text), *(edge % (len(text) + 1) for edge in at)})
    return [text[begin:end] for begin, end in itertools.pairwise(edges)]


cuts = st.lists(st.integers(0, 10_000), max_size=30)
numbers = st.integers(0, 999_999_999)


@given(st.lists(st.one_of(numbers, st.sampled_from([PLAIN, NEARLY])), max_size=8), cuts)
def test_numbers_are_the_same_however_the_stream_is_cut(parts: list[int | bytes], at: list[int]) -> None:
    reader = Reader(DIALOGUE)
    stream = b"".join(event(part) if isinstance(part, int) else part for part in parts)
    found = [number for chunk in _cut(stream, at) for number in reader.sequences(FAN, chunk)]
    assert found == [part for part in parts if isinstance(part, int)]
    assert reader.kept == 0


@given(st.text("\t#com12\n", max_size=40), cuts)
def test_nothing_that_looks_like_a_mark_makes_a_difference(text: str, at: list[int]) -> None:
    stream = text.encode() + b"\tcomment: #5\n"
    whole = Reader(DIALOGUE).sequences(FAN, stream)
    reader = Reader(DIALOGUE)
    assert [number for chunk in _cut(stream, at) for number in reader.sequences(FAN, chunk)] == list(whole) == [5]


@given(cuts, cuts)
def test_fans_are_told_apart(at: list[int], at_too: list[int]) -> None:
    reader = Reader(DIALOGUE)
    chunks = {1: _cut(event(11) + event(12), at), 2: _cut(event(21) + event(22), at_too)}
    found: dict[int, list[int]] = {1: [], 2: []}
    while any(chunks.values()):
        for fan, left in chunks.items():
            if left:
                found[fan] += reader.sequences(fan, left.pop(0))
    assert found == {1: [11, 12], 2: [21, 22]}


def test_the_same_chunk_twice_is_two_receipts() -> None:
    reader = Reader(DIALOGUE)
    assert reader.sequences(1, event(7)) == reader.sequences(2, event(7)) == reader.sequences(2, event(7)) == (7,)


def test_the_same_cut_chunk_is_kept_for_each_fan() -> None:
    reader = Reader(DIALOGUE)
    assert reader.sequences(1, event(71)[:-4]) == reader.sequences(2, event(71)[:-4]) == ()
    assert reader.sequences(1, b"\n\r\n") == (7,)
    assert reader.sequences(2, b"2\n\r\n") == (72,)


def test_a_number_that_is_too_long_is_none() -> None:
    assert Reader(DIALOGUE).sequences(FAN, b"\tcomment: #1234567890\n") == ()


@given(cuts, st.sampled_from([b"\n", b"<your-name>\r\n"]))
def test_a_greeting_is_complete_when_its_end_was_seen(at: list[int], end: bytes) -> None:
    reader = Reader(replace(DIALOGUE, welcome_end=end))
    seen = b""
    for chunk in _cut(WELCOME, at):
        seen += chunk
        heard = reader.greeting(FAN, chunk)
        assert heard is (Completeness.COMPLETE if end in seen else Completeness.PART)
        if heard is Completeness.COMPLETE:
            break


@given(cuts)
def test_an_answer_is_complete_at_its_end_and_gives_what_follows(at: list[int]) -> None:
    reader = Reader(DIALOGUE)
    chunks = _cut(STATUS + event(1) + event(2), at)
    heard, rest = Completeness.PART, b""
    taken = 0
    while heard is Completeness.PART:
        heard, rest = reader.answer(FAN, chunks[taken])
        taken += 1
    assert heard is Completeness.COMPLETE
    assert rest + b"".join(chunks[taken:]) == event(1) + event(2)
    assert reader.kept == 0


def test_an_empty_line_in_the_greeting_is_no_answer() -> None:
    reader = Reader(DIALOGUE)
    assert reader.greeting(FAN, b"Welcome\n\r\n\n\r\nSay he") is Completeness.COMPLETE
    assert reader.answer(FAN, b"llo\n") == (Completeness.PART, b"")
    assert reader.answer(FAN, STATUS) == (Completeness.COMPLETE, b"")


@given(cuts)
def test_an_error_line_is_a_refusal_however_it_is_cut(at: list[int]) -> None:
    reader = Reader(DIALOGUE)
    reader.greeting(FAN, WELCOME)
    heard = [reader.answer(FAN, chunk)[0] for chunk in _cut(b"Wait.\n" + ERROR, at)]
    assert Completeness.REFUSAL in heard
    assert Completeness.COMPLETE not in heard


def test_a_farewell_is_no_event_no_answer_and_no_refusal() -> None:
    reader = Reader(DIALOGUE)
    assert reader.greeting(FAN, WELCOME) is Completeness.COMPLETE
    assert reader.answer(FAN, GOODBYE) == (Completeness.PART, b"")
    reader.forget(FAN)
    assert reader.sequences(FAN, event(71) + GOODBYE) == (71,)
    assert reader.kept == 0


def test_an_error_line_may_come_with_the_greeting_or_instead_of_it() -> None:
    assert Reader(DIALOGUE).greeting(FAN, WELCOME + ERROR) is Completeness.REFUSAL
    assert Reader(DIALOGUE).greeting(FAN, ERROR) is Completeness.REFUSAL
    reader = Reader(DIALOGUE)
    assert reader.greeting(FAN, WELCOME + ERROR[:3]) is Completeness.COMPLETE
    assert reader.answer(FAN, ERROR[3:]) == (Completeness.REFUSAL, b"")


def test_error_words_within_a_line_or_after_the_answer_are_no_refusal() -> None:
    reader = Reader(DIALOGUE)
    assert reader.greeting(FAN, b"Welcome\nsee ") is Completeness.COMPLETE
    assert reader.answer(FAN, b"ERROR: below\n" + STATUS + ERROR) == (Completeness.COMPLETE, ERROR)


def test_an_answer_that_never_ends_takes_no_more_than_its_share_of_memory() -> None:
    reader = Reader(DIALOGUE)
    for _ in range(20):
        assert reader.answer(FAN, b"x" * MAX_PENDING)[0] is Completeness.PART
        assert reader.kept == MAX_PENDING
    assert reader.answer(FAN, b"\n\r\n") == (Completeness.COMPLETE, b"")


def test_a_fan_that_left_is_forgotten() -> None:
    reader = Reader(DIALOGUE)
    reader.answer(FAN, STATUS[:9])
    assert reader.kept == 9
    reader.forget(FAN)
    reader.forget(FAN)
    assert reader.kept == 0


def test_a_server_without_refusals_refuses_nobody() -> None:
    reader = Reader(replace(DIALOGUE, error_start=b""))
    assert reader.greeting(FAN, b"ERROR: full\n") is Completeness.COMPLETE
    assert reader.answer(FAN, ERROR + STATUS) == (Completeness.COMPLETE, b"")
