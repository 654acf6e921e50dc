"""A search, a staircase, an ablation or a comparison as one HTML file: what was found, its charts, tables, machine."""

import base64
from collections.abc import Iterator
from html import escape

from harness.records.campaign import Ablation, Comparison, Staircase
from harness.records.search import SearchResult
from harness.show.all_kinds import sheets_of
from harness.show.drawing import drawing
from harness.show.html_parts import headed_table, measured_on, whole_page
from harness.show.search import sentence, show_dimension

Paged = SearchResult | Staircase | Ablation | Comparison
"""What has such a page; that of a trial is `harness.show.trial_page`."""


def summary_page(record: Paged) -> str:
    """Return the page. Raise ChartError where matplotlib cannot draw."""
    parts = list(_charts(record))
    if isinstance(record, SearchResult):
        kind = "passed" if record.last_pass is not None else "failed"
        parts.insert(0, f'<p class="verdict {kind}"><strong>{escape(sentence(record))}</strong></p>')
    if isinstance(record, Comparison):
        parts += (f"<p>Warning: {escape(warning)}</p>" for warning in record.warnings)
    for sheet in sheets_of(record):
        parts += (f"<h2>{escape(sheet.title)}</h2>", headed_table(sheet.columns, sheet.rows))
    if not isinstance(record, Comparison):
        parts += ("<h2>Measured on</h2>", measured_on(record.machine, record.harness, record.started_at))
    return whole_page(_title(record), parts)


def _title(record: Paged) -> str:
    match record:
        case SearchResult():
            asked = record.asked
            return f"{asked.target.name}: {show_dimension(asked.dimension)} under {asked.slo}"
        case Staircase():
            return f"The stages and their limits under {record.slo}"
        case Ablation():
            return f"What each lesson is worth, up to stage {record.stage}"
        case Comparison():
            return f"{record.b} over {record.a}"


def _charts(record: Paged) -> Iterator[str]:
    """Give the charts as pictures in the page, each with the sentence that says what it shows."""
    with drawing():
        # Matplotlib takes half a second to import, which a command that only refuses its input should not cost.
        from harness.show.charts.every import charts  # noqa: PLC0415 -- see above

        for _, chart in charts([("summary", record)]):
            picture = base64.b64encode(chart.png(captioned=False)).decode()
            finding = escape(chart.finding)
            yield f'<p>{finding}</p>\n<img alt="{finding}" src="data:image/png;base64,{picture}">'
