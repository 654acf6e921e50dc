import csv
import io
from collections.abc import Mapping

import pytest

from harness.records.kinds import Record
from harness.show.csv_rows import as_csv, columns, flatten
from tests.harness.made_records import a_comparison, a_search, a_staircase, an_ablation, an_http_load
from tests.harness.results import a_result, seen_by, some_fans


def read(*records: Record) -> list[Mapping[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv([row for record in records for row in flatten(record)]))))


def test_a_trial_is_one_row_of_plain_numbers() -> None:
    (row,) = read(a_result())
    assert (row["server"], row["N"], row["C"], row["interval_s"]) == ("stage 0", "900", "4", "0.25")
    assert (row["served"], row["lost"], row["valid"], row["bound"]) == ("900", "0", "True", "nothing")
    assert float(row["fanout_last_s"]) == 0.045
    assert float(row["memory_per_connection_bytes"]) == pytest.approx(11_111.11)
    (bare,) = read(a_result(seen=seen_by(some_fans(0, refused=9)), server=None))
    assert (bare["art_mean_s"], bare["lost"], bare["memory_per_connection_bytes"]) == ("", "", "")


def test_a_search_is_a_row_a_trial() -> None:
    rows = read(a_search())
    assert [(row["level"], row["kind"], row["met"]) for row in rows[1:3]] == [
        ("1000", "short", "True"),
        ("2000", "short", "False"),
    ]
    assert rows[2]["broken"] == "p99<1s: 1.4 s"


def test_a_staircase_is_a_row_a_limit_and_a_row_a_trial() -> None:
    rows = read(a_staircase())
    limits, trials = [row for row in rows if row["limit_of"]], [row for row in rows if row["N"]]
    assert len(limits) == 9 * 3
    assert len(trials) == 9 * 2 * 3
    assert len(rows) == len(limits) + len(trials)
    assert (limits[0]["server"], limits[0]["limit_of"], limits[0]["last_pass"], limits[0]["at_least"]) == (
        "stage 0",
        "N",
        "1000",
        "False",
    )
    assert limits[0]["bound"] == "CPU"


def test_an_ablation_is_a_row_a_ratio_or_a_refusal() -> None:
    rows = read(an_ablation())
    refused = [row for row in rows if row["refused"]]
    assert [(row["lesson"], row["change"], row["ratio"]) for row in refused] == [("repeaters", "added", "")]
    served = next(row for row in rows if row["lesson"] == "backlog" and row["figure"] == "served")
    assert (served["ratio"], served["judgement"]) == ("0.12", "worse")


def test_a_load_of_requests_is_one_row() -> None:
    (row,) = read(an_http_load())
    assert (row["path"], row["succeeded"], row["requests_per_s"], row["max_s"]) == (
        "/1/checkin",
        "500",
        "200.0",
        "0.02",
    )


def test_a_comparison_is_a_row_a_ratio() -> None:
    assert [(row["figure"], row["judgement"]) for row in read(a_comparison())] == [
        ("art", "worse"),
        ("fanout", "better"),
        ("memory", "no change seen"),
        ("N", "not measured"),
    ]


def test_several_kinds_share_their_columns() -> None:
    rows = [*flatten(a_result()), *flatten(a_search())]
    names = columns(rows)
    assert len(names) == len(set(names))
    assert names[0] == "server"
    assert {"level", "N"} <= set(names)
    assert len(read(a_result(), a_search())) == 6
    assert as_csv([]) == "\n"
