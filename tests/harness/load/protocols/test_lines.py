from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.wire.frames import GOODBYE
from harness.load.protocols.lines import LineReader
from harness.load.protocols.reader import MAX_PENDING, Completeness, Reader
from harness.load.workload import Dialogue, Heartbeat, Turn
from tests.harness.known_servers import DIALOGUE, ERROR, STATUS, WELCOME, event
from tests.harness.load.protocols.receiving import Hearing, cut, cuts

FAN = 3
PLAIN = b"2011-09-10 18:05:00: goal:\n\tteam: tig\n\tcomment: none\n\r\n"
NEARLY = b"\tcomment: \tcomment: #\tcomment: #x\tcomm\n"


def hearing(dialogue: Dialogue = DIALOGUE) -> Hearing:
    return Hearing(LineReader, dialogue)


def reader_of(dialogue: Dialogue) -> Reader:
    return hearing(dialogue).reader


numbers = st.integers(0, 999_999_999)


@given(st.lists(st.one_of(numbers, st.sampled_from([PLAIN, NEARLY])), max_size=8), cuts)
def test_numbers_are_the_same_however_the_stream_is_cut(parts: list[int | bytes], at: list[int]) -> None:
    heard = hearing()
    stream = b"".join(event(part) if isinstance(part, int) else part for part in parts)
    heard.hear(FAN, cut(stream, at))
    assert heard.numbers(FAN) == [part for part in parts if isinstance(part, int)]
    assert (heard.reader.kept, heard.reader.open) == (0, 0)


@given(st.text("\t#com12\n", max_size=40), cuts)
def test_nothing_that_looks_like_a_mark_makes_a_difference(text: str, at: list[int]) -> None:
    stream = text.encode() + b"\tcomment: #5\n"
    whole, pieces = hearing(), hearing()
    whole.hear(FAN, [stream])
    pieces.hear(FAN, cut(stream, at))
    assert pieces.numbers(FAN) == whole.numbers(FAN) == [5]


@given(cuts, cuts)
def test_fans_are_told_apart(at: list[int], at_too: list[int]) -> None:
    heard = hearing()
    chunks = {1: cut(event(11) + event(12), at), 2: cut(event(21) + event(22), at_too)}
    while any(chunks.values()):
        for fan, left in chunks.items():
            if left:
                heard.hear(fan, [left.pop(0)])
    assert (heard.numbers(1), heard.numbers(2)) == ([11, 12], [21, 22])


def test_the_same_chunk_twice_is_two_receipts() -> None:
    reader = reader_of(DIALOGUE)
    assert [reader.sequences(fan, event(7), 0.0) for fan in (1, 2, 2)] == [(7,)] * 3


def test_the_same_cut_chunk_is_kept_for_each_fan() -> None:
    heard = hearing()
    heard.hear(1, [event(71)[:-4]])
    heard.hear(2, [event(71)[:-4]])
    assert heard.receipts == {}
    heard.hear(1, [b"\n\r\n"])
    heard.hear(2, [b"2\n\r\n"])
    assert (heard.numbers(1), heard.numbers(2)) == ([7], [72])


def test_a_number_that_is_too_long_is_none() -> None:
    heard = hearing()
    heard.hear(FAN, [b"\tcomment: #1234567890\n", b"\tcomment: #123456789", b"0", b"\n"])
    heard.reader.forget(FAN)
    assert heard.receipts == {}


ENDS_IN_NUMBERS = replace(DIALOGUE, mark=b"goal #")


def test_a_number_with_nothing_after_it_counts_from_when_it_came() -> None:
    heard = hearing(ENDS_IN_NUMBERS)
    heard.hear(FAN, [b"goal #11"], at_s=1.0)
    assert (heard.receipts, heard.reader.open) == ({}, 1)
    heard.hear(FAN, [b"goal #12"], at_s=2.0)
    assert heard.receipts == {FAN: [(11, 1.0)]}
    heard.reader.forget(FAN)
    assert heard.receipts == {FAN: [(11, 1.0), (12, 2.0)]}
    assert (heard.reader.kept, heard.reader.open) == (0, 0)


def test_a_number_in_two_pieces_counts_once_and_from_the_second() -> None:
    heard = hearing(ENDS_IN_NUMBERS)
    heard.hear(FAN, [b"goal #1"], at_s=1.0)
    heard.hear(FAN, [b"2"], at_s=2.0)
    assert (heard.receipts, heard.reader.open) == ({}, 1)
    heard.hear(FAN, [b"\n"], at_s=3.0)
    assert heard.receipts == {FAN: [(12, 2.0)]}


@given(st.lists(numbers, max_size=8), st.sampled_from([b"", b"\n"]), cuts)
def test_messages_that_end_in_their_numbers_are_all_read(wanted: list[int], end: bytes, at: list[int]) -> None:
    heard = hearing(ENDS_IN_NUMBERS)
    heard.hear(FAN, cut(b"".join(b"goal #%d" % number + end for number in wanted), at))
    heard.reader.forget(FAN)
    assert heard.numbers(FAN) == wanted


@given(cuts, st.sampled_from([b"\n", b"<your-name>\r\n"]))
def test_a_greeting_is_complete_when_its_end_was_seen(at: list[int], end: bytes) -> None:
    reader = reader_of(replace(DIALOGUE, welcome_end=end))
    seen = b""
    for chunk in cut(WELCOME, at):
        seen += chunk
        heard = reader.greeting(FAN, chunk)
        assert heard is (Completeness.COMPLETE if end in seen else Completeness.PART)
        if heard is Completeness.COMPLETE:
            break


@given(cuts)
def test_an_answer_is_complete_at_its_end_and_gives_what_follows(at: list[int]) -> None:
    reader = reader_of(DIALOGUE)
    chunks = cut(STATUS + event(1) + event(2), at)
    heard, rest = Completeness.PART, b""
    taken = 0
    while heard is Completeness.PART:
        heard, rest = reader.answer(FAN, chunks[taken])
        taken += 1
    assert heard is Completeness.COMPLETE
    assert rest + b"".join(chunks[taken:]) == event(1) + event(2)
    assert reader.kept == 0


def test_an_empty_line_in_the_greeting_is_no_answer() -> None:
    reader = reader_of(DIALOGUE)
    assert reader.greeting(FAN, b"Welcome\n\r\n\n\r\nSay he") is Completeness.COMPLETE
    assert reader.answer(FAN, b"llo\n") == (Completeness.PART, b"")
    assert reader.answer(FAN, STATUS) == (Completeness.COMPLETE, b"")


@given(cuts)
def test_an_error_line_is_a_refusal_however_it_is_cut(at: list[int]) -> None:
    reader = reader_of(DIALOGUE)
    reader.greeting(FAN, WELCOME)
    heard = [reader.answer(FAN, chunk)[0] for chunk in cut(b"Wait.\n" + ERROR, at)]
    assert Completeness.REFUSAL in heard
    assert Completeness.COMPLETE not in heard


def test_a_farewell_is_no_event_no_answer_and_no_refusal() -> None:
    reader = reader_of(DIALOGUE)
    assert reader.greeting(FAN, WELCOME) is Completeness.COMPLETE
    assert reader.answer(FAN, GOODBYE) == (Completeness.PART, b"")
    reader.forget(FAN)
    assert reader.sequences(FAN, event(71) + GOODBYE, 0.0) == (71,)
    assert reader.kept == 0


def test_an_error_line_may_come_with_the_greeting_or_instead_of_it() -> None:
    assert reader_of(DIALOGUE).greeting(FAN, WELCOME + ERROR) is Completeness.REFUSAL
    assert reader_of(DIALOGUE).greeting(FAN, ERROR) is Completeness.REFUSAL
    reader = reader_of(DIALOGUE)
    assert reader.greeting(FAN, WELCOME + ERROR[:3]) is Completeness.COMPLETE
    assert reader.answer(FAN, ERROR[3:]) == (Completeness.REFUSAL, b"")


def test_error_words_within_a_line_or_after_the_answer_are_no_refusal() -> None:
    reader = reader_of(DIALOGUE)
    assert reader.greeting(FAN, b"Welcome\nsee ") is Completeness.COMPLETE
    assert reader.answer(FAN, b"ERROR: below\n" + STATUS + ERROR) == (Completeness.COMPLETE, ERROR)


def test_an_answer_that_never_ends_takes_no_more_than_its_share_of_memory() -> None:
    reader = reader_of(DIALOGUE)
    for _ in range(20):
        assert reader.answer(FAN, b"x" * MAX_PENDING)[0] is Completeness.PART
        assert reader.kept == MAX_PENDING
    assert reader.answer(FAN, b"\n\r\n") == (Completeness.COMPLETE, b"")


def test_a_fan_that_left_is_forgotten() -> None:
    reader = reader_of(DIALOGUE)
    reader.answer(FAN, STATUS[:9])
    assert reader.kept == 9
    reader.forget(FAN)
    reader.forget(FAN)
    assert reader.kept == 0


def test_a_server_without_refusals_refuses_nobody() -> None:
    reader = reader_of(replace(DIALOGUE, error_start=b""))
    assert reader.greeting(FAN, b"ERROR: full\n") is Completeness.COMPLETE
    assert reader.answer(FAN, ERROR + STATUS) == (Completeness.COMPLETE, b"")


def test_what_a_fan_says_is_said_in_turn() -> None:
    turns = (Turn(b"JOIN {user}\n", b"+joined\n"), Turn(b"QUIET\n", None))
    heard = hearing(Dialogue(b"SUB\n", b"", b"+OK\n", b"#", b"-ERR", turns=turns))
    reader = heard.reader
    assert reader.answer(FAN, b"+O") == (Completeness.PART, b"")
    assert heard.said == {}
    assert reader.answer(FAN, b"K\nnews +joi") == (Completeness.PART, b"")
    assert heard.said == {FAN: [b"JOIN fan-3\n"]}
    assert reader.answer(FAN, b"ned\n#1") == (Completeness.COMPLETE, b"#1")
    assert heard.said == {FAN: [b"JOIN fan-3\n", b"QUIET\n"]}
    assert reader.answer(FAN + 1, b"+OK\n")[0] is Completeness.PART
    assert reader.answer(FAN + 1, b"-ERR full\n")[0] is Completeness.REFUSAL
    reader.forget(FAN + 1)
    assert reader.kept == 0


BEATING = Dialogue(b"SUB\n", b"", b"+OK\n", b"#", b"", heartbeat=Heartbeat(b"PING\r\n", b"PONG\r\n"))


@given(st.lists(st.sampled_from([b"PING\r\n", b"#1\n", b"PIN", b"PPING\r\n", b"news\n"]), max_size=8), cuts)
def test_every_ping_is_answered_however_it_is_cut(parts: list[bytes], at: list[int]) -> None:
    heard = hearing(BEATING)
    stream = b"".join(parts)
    heard.hear(FAN, cut(stream, at))
    assert b"".join(heard.said.get(FAN, [])) == b"PONG\r\n" * stream.count(b"PING\r\n")
    assert heard.numbers(FAN) == [1] * stream.count(b"#1")
    heard.reader.forget(FAN)
    assert heard.reader.kept == 0


def test_a_ping_may_come_before_the_answer() -> None:
    heard = hearing(BEATING)
    assert heard.reader.answer(FAN, b"PING\r\n+OK\n") == (Completeness.COMPLETE, b"")
    assert heard.said == {FAN: [b"PONG\r\n"]}
