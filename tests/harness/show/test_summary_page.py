"""The pages of what is more than one trial; what they look like is looked at in a browser."""

from pathlib import Path

import msgspec
import pytest

from harness.cli import main
from harness.records.files import encode
from harness.show.search import sentence
from harness.show.summary_page import Paged, summary_page
from tests.harness.made_records import a_comparison, a_search, a_staircase, an_ablation
from tests.harness.results import a_machine, a_result
from tests.harness.show.test_trial_page import Texts


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (a_search(), (sentence(a_search()), "stage 2.2: N under failures=0,p99<1s", "broke p99<1s: 1.4 s")),
        (a_staircase(), ("The stages and their limits under", "sustained C", "N=900, C=4 every 25.0 ms")),
        (an_ablation(), ("What each lesson is worth, up to stage 2.5", "Left out: without the lesson")),
        (a_comparison(), ("b.json over a.json", "the kernels differ: Linux 6.1, Linux 6.6", "fan-out")),
    ],
    ids=["search", "staircase", "ablation", "comparison"],
)
def test_a_page_says_what_was_found_and_shows_it(record: Paged, said: tuple[str, ...]) -> None:
    page = summary_page(record)
    seen = Texts(page)
    for part in said:
        assert part in seen.text
    assert '<img alt="' in page
    assert (a_machine().cpu_model in seen.text) == hasattr(record, "machine")
    assert "http" not in page.replace("https://", "").replace("http://127", "")


def test_names_of_others_are_text() -> None:
    page = summary_page(a_comparison(a="<script>alert(1)</script>"))
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, page = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "page.html"
    for path in (a, b):
        path.write_bytes(encode(a_result()))
    assert main(["compare", str(a), str(b), "--report", str(page)]) == 0
    assert f"{b} over {a}" in Texts(page.read_text()).text
    assert main(["compare", str(a), str(b), "--report", str(tmp_path / "none" / "page.html")]) == 2
    assert "choose another --report" in capsys.readouterr().err


def test_a_search_that_found_nothing_says_so_on_top() -> None:
    nothing = msgspec.structs.replace(a_search(), last_pass=None)
    assert f'<p class="verdict failed"><strong>{sentence(nothing)}'.replace("<1s", "&lt;1s") in summary_page(nothing)
