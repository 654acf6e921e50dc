"""One HTML page of several executed notebooks, with everything in it: it can be sent, and read without a network."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbconvert import HTMLExporter

_STYLE = """
body { max-width: 1240px; margin: 0 auto; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; color: #111; }
nav { border-bottom: 1px solid #ccc; margin-bottom: 2rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.85rem; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; }
pre, code { font-size: 0.9em; background: #f4f4f4; }
small { color: #666; font-weight: normal; display: block; }
section { margin-bottom: 4rem; }
"""


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


def page(parts: Sequence[Part]) -> str:
    """Return the page: a table of contents, then the text and the output of every notebook, without its code."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_output_prompt=True, exclude_anchor_links=True
    )
    links = "".join(f'<li><a href="#{part.name}">{html.escape(part.title)}</a></li>' for part in parts)
    bodies = "".join(
        f'<section id="{part.name}">{exporter.from_notebook_node(part.notebook)[0]}</section>' for part in parts
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Match Stream Lab: the report</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<nav><p><strong>Match Stream Lab: the report</strong></p><ul>{links}</ul></nav>\n{bodies}\n</body>\n</html>\n"
    )
