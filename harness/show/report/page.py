"""One HTML page of several executed notebooks, with everything in it: it can be sent, and read without a network."""

import html
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbconvert import HTMLExporter

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
main { max-width: 1200px; margin: 0 auto; padding: 0 1.2rem 4rem; }
nav { background: #f5f6f8; border-bottom: 1px solid #d8dbe0; }
nav > div { max-width: 1200px; margin: 0 auto; padding: 1rem 1.2rem; }
nav .parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0.2rem 2rem; }
nav ul { margin: 0.2rem 0 0.6rem; padding-left: 1.1rem; font-size: 0.92rem; }
a { color: #0b5cad; text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 2.5rem 0 0.8rem; border-top: 3px solid #1a1a1a; padding-top: 0.7rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; }
p { max-width: 75ch; }
img { max-width: 100%; height: auto; }
.table { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #e2e4e8; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #8a8f98; }
tbody tr:nth-child(even) { background: #fafbfc; }
td:first-child { font-weight: 600; }
pre, code { font-size: 0.9em; background: #f2f3f5; border-radius: 3px; padding: 0 0.2em; overflow-wrap: anywhere; }
small { color: #666; font-weight: normal; display: block; }
.picture { overflow-x: auto; }
@media (max-width: 600px) {
  body { font-size: 15px; }
  main, nav > div { padding-left: 0.8rem; padding-right: 0.8rem; }
  .picture img { max-width: none; width: 760px; }
  th, td { white-space: nowrap; }
  th:first-child, td:first-child { position: sticky; left: 0; background: #fff; white-space: normal; min-width: 6rem; }
}
"""
_TITLE = "Match Stream Lab: the report"


@dataclass(frozen=True, slots=True)
class Part:
    """An executed notebook and the name by which the page links to it."""

    name: str
    notebook: nbformat.NotebookNode

    @property
    def title(self) -> str:
        """Its first heading, or its name where it has none."""
        lines = (
            line for cell in self.notebook.cells if cell.cell_type == "markdown" for line in cell.source.split("\n")
        )
        return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), self.name)

    @property
    def headings(self) -> tuple[str, ...]:
        """Its headings of the second level."""
        cells = (cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")
        return tuple(line.removeprefix("## ") for cell in cells for line in cell.split("\n") if line.startswith("## "))


def page(parts: Sequence[Part]) -> str:
    """Return the page: a table of contents, then the text and the output of every notebook, without its code."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_output_prompt=True, exclude_anchor_links=True
    )
    contents = "".join(map(_contents, parts))
    bodies = "".join(f'<section id="{part.name}">{_body(part, exporter)}</section>' for part in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_TITLE}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<nav><div><strong>{_TITLE}</strong><div class="parts">{contents}</div></div></nav>\n'
        f"<main>{bodies}</main>\n</body>\n</html>\n"
    )


def _contents(part: Part) -> str:
    """Return the part's entry in the table of contents, with its headings below it."""
    below = "".join(
        f'<li><a href="#{_anchor(part, number)}">{html.escape(heading)}</a></li>'
        for number, heading in enumerate(part.headings, start=1)
    )
    return f'<div><a href="#{part.name}">{html.escape(part.title)}</a><ul>{below}</ul></div>'


def _body(part: Part, exporter: HTMLExporter) -> str:
    """Return the part as HTML: its headings can be linked to, and a table or a picture that is too wide scrolls."""
    body, _ = exporter.from_notebook_node(part.notebook)
    numbers = itertools.count(1)
    body = re.sub(r"<h2[^>]*>", lambda _: f'<h2 id="{_anchor(part, next(numbers))}">', body)
    body = re.sub(r"<img [^>]*>", lambda image: f'<div class="picture">{image[0]}</div>', body)
    return body.replace("<table", '<div class="table"><table').replace("</table>", "</table></div>")


def _anchor(part: Part, number: int) -> str:
    return f"{part.name}-{number}"
