"""Files of what differs from fan to fan."""

from pathlib import Path

import pytest

from harness.load.workload import Vars
from harness.targets.custom import CustomTarget
from harness.targets.description import Description, check
from harness.targets.target import TargetError
from harness.targets.vars_file import load_vars
from tests.harness.targets.news_server import NewsServer
from tests.harness.targets.trials import FANS, small_trial


def test_rows_are_those_of_a_spreadsheet(tmp_path: Path) -> None:
    file = tmp_path / "fans.csv"
    file.write_text('token,name\r\nt1,"One, of us"\r\n\r\nt2,Zwei\r\n', encoding="utf-8-sig")
    assert load_vars(file) == Vars((b"token", b"name"), ((b"t1", b"One, of us"), (b"t2", b"Zwei")))


def test_every_fan_says_its_own(tmp_path: Path) -> None:
    file = tmp_path / "fans.csv"
    file.write_text("token\n" + "".join(f"t{fan}\n" for fan in range(FANS)))
    with NewsServer() as server:
        described = Description(
            f"tcp://127.0.0.1:{server.lines}",
            hello=r"SUB news {token}-{user}\r\n",
            welcome_end=r"\n",
            answer_end=r"+OK\r\n",
            vars=str(file),
        )
        small_trial(CustomTarget("news", check(described, "news")))
    tokens = [user.partition(b"-")[0] for user in server.users]
    assert tokens[0] == b"t0"  # the one that tried
    assert sorted(tokens[1:]) == sorted(b"t%d" % fan for fan in range(FANS))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no fan: write the names of the columns, and below a row for each fan"),
        (b"token\n", "has no fan"),
        (b"a,b\n1,2\n3\n", "row 3 has 1 values for 2 columns"),
        (b"a\n\xff\n", "has no comma-separated values"),
        (b'a\n"b', "has no comma-separated values"),
    ],
)
def test_what_is_no_such_file_is_told(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "fans.csv"
    file.write_bytes(content)
    with pytest.raises(TargetError) as refused:
        load_vars(file)
    assert str(refused.value).startswith(f"{file}: {says}")
    assert "\n" not in str(refused.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"none\.csv: cannot be read: No such file or directory"):
        load_vars(tmp_path / "none.csv")
