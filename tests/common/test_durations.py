import pytest

from common.durations import DurationError, parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), (" 1.5 h ", 5400), ("0s", 0), ("0.5s", 0.5), ("2ms", 0.002)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "10d", "-5s", "1h30m", "10 minutes", "1e3s", "٣s", "10M"])
def test_what_is_no_duration_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(
        DurationError, match=r"is no duration: write a number and ms, s, m or h, such as 500ms"
    ) as caught:
        parse_duration(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (8.4, "8 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations_are_shown(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text
