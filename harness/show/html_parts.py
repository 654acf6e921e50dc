"""What pages are made of: one file each that needs nothing else, light or dark, as its reader has it."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Final

from harness.records.machine import Machine

PAGE_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { padding: .6rem 1rem; border-left: .4rem solid; overflow-wrap: anywhere; }
.passed { border-color: #009E73; } .failed, .invalid { border-color: #D55E00; }
.wide { overflow-x: auto; } .wide td, .wide th { white-space: nowrap; } img { max-width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; vertical-align: top; white-space: nowrap; }
.plotly-graph-div { width: 100%; overflow: hidden; }
td, th { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
@media (max-width: 40rem) { th, td { display: block; border: 0; } td { border-bottom: 1px solid #8884; } }
"""


def whole_page(title: str, parts: Sequence[str], head: str = "") -> str:
    """Return a page of these parts, which are HTML, under its title; `head` is what else its head has."""
    body = "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{PAGE_STYLE}</style>{head}</head><body>
<h1>{escape(title)}</h1>
{body}
</body></html>
"""


def named_rows(rows: Sequence[tuple[str, str]]) -> str:
    """Return a table of what has a name and a text."""
    lines = "\n".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table>\n{lines}\n</table>"


def headed_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a heading for each column, which can be moved sideways where it is wider than the page."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{lines}\n</table></div>'


def measured_on(machine: Machine, harness: str, started_at: datetime) -> str:
    """Return the table of where, when and by what something was measured."""
    limits = (f"{name.replace('_', ' ')} {limit.soft} of {limit.hard}" for name, limit in machine.limits.items())
    return named_rows(
        [
            ("when", f"{started_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("machine", f"{machine.cpu_model}, {machine.cores} cores, {machine.memory_bytes / 2**30:,.0f} GiB"),
            ("kernel", machine.kernel),
            ("limits", ", ".join(limits)),
            ("settings", ", ".join(f"{name} = {value}" for name, value in machine.sysctls.items())),
            ("Python", machine.python),
            ("harness", f"{harness}, commit {machine.commit or 'not known'}"),
        ]
    )
