"""The page of a trial; what it looks like is looked at in a browser."""

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from harness.records.trial import TrialResult, Validity, Verdict
from harness.show import trial_page as module
from harness.show.trial_page import NoChartsError, trial_page
from tests.harness.results import a_result, seen_by, some_fans, some_reconnects


class Texts(HTMLParser):
    """The texts of a page, but for its programs and styles, and how many charts it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.charts = 0
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.charts += "plotly-graph-div" in (dict(attrs).get("class") or "")

    def handle_data(self, data: str) -> None:
        if self._inside not in {"script", "style"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_a_page_has_verdict_figures_charts_and_machine_and_asks_nobody_else() -> None:
    result = a_result()
    page = trial_page(result)
    seen = Texts(page)
    for part in (
        "stage 0: N = 900, C = 4 every 250 ms",
        "PASSED: failures=0,p99<1s What bound first: nothing:",
        "900 of 900 served; failures: none",
        result.machine.kernel,
        result.machine.cpu_model,
    ):
        assert part in seen.text
    assert seen.charts == 4
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", page)


def test_how_long_fans_were_away_is_a_curve_beside_the_others() -> None:
    seen = seen_by(some_fans())
    back = some_reconnects(back=seen.response.intended)
    page = trial_page(a_result(seen=msgspec.structs.replace(seen, reconnects=back)))
    assert "10 connections lost" in Texts(page).text
    assert '"name":"from a cut until back"' in page
    assert '"name":"from a cut until back"' not in trial_page(a_result())


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"verdict": Verdict(met=False, broken=("p99<1s (3 s)",))}, "failed", "FAILED: p99<1s (3 s)"),
        ({"validity": Validity(valid=False, reasons=("it was <late>",))}, "invalid", "INVALID it was <late>"),
    ],
)
def test_what_went_wrong_stands_on_top(changes: dict[str, Any], kind: str, words: str) -> None:
    page = trial_page(a_result(**changes))
    assert f'<p class="verdict {kind}">' in page
    assert words in Texts(page).text


@pytest.mark.parametrize(("slowest_s", "marks"), [(0.02, 0), (2.0, 3)])
def test_syns_that_are_sent_again_are_marked_where_somebody_waited_so_long(slowest_s: float, marks: int) -> None:
    page = trial_page(a_result(seen=seen_by(some_fans(900), slowest_s=slowest_s)))
    assert len(re.findall(r"SYN again: [137] s", page)) in {
        marks,
        2 * marks,
    }  # in the curve, and where there are moments


def test_what_was_not_seen_is_not_drawn() -> None:
    nobody: TrialResult = a_result(seen=seen_by(some_fans(0, refused=3)), server=None).without_time_lines()
    assert Texts(trial_page(nobody)).charts == 0


def test_a_name_is_shown_and_not_carried_out() -> None:
    result = a_result()
    named = msgspec.structs.replace(result.asked.target, name="<script>alert(1)</script>")
    page = trial_page(msgspec.structs.replace(result, asked=msgspec.structs.replace(result.asked, target=named)))
    assert "<script>alert" not in page
    assert "<script>alert(1)</script>: N = 900" in Texts(page).text


def test_without_plotly_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(NoChartsError, match=r"a page needs plotly: pip install 'matchstream-lab\[report\]'"):
        trial_page(a_result())
