"""What pages include of the repository's texts, and where the links in those lead then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.generate import sources
from docs.generate.markdown import plain, table
from docs.generate.sources import SourceError, Sources, file_page

if TYPE_CHECKING:
    from pathlib import Path

README = """# The lab
A figure:
<!-- figures -->
<!-- a b -->12<!-- / --> fans.
See [below](#serve), [the rules](rules.toml#L1), [notes](notes/), [the web](https://example.org/a.toml), and how to
[serve](docs/pages/a/serve.md#nodes).

## Serve
![a picture](pictures/a.png) and [an empty directory](empty).
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    for name, text in {
        "README.md": README,
        "rules.toml": 'text = "```"\n',
        "notes/README.md": "# Notes\n[up](../rules.toml)\n",
        "pictures/a.png": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.usefixtures("repository")
def test_a_file_is_included_between_what_a_page_says_itself() -> None:
    text = Sources({}).expand("page.md", "# Before\n<!-- include notes/README.md -->\nand after\n")
    assert text == "# Before\n# Notes\n[up](code/rules.toml.md)\n\nand after\n"


@pytest.mark.usefixtures("repository")
def test_a_figure_stays_where_its_marks_go() -> None:
    assert "A figure:\n12 fans.\n" in Sources({}).expand("page.md", "<!-- include README.md -->")
    assert Sources({}).expand("page.md", "<!-- figures -->\n<!-- a b -->12<!-- / --> fans.") == "12 fans."


@pytest.mark.usefixtures("repository")
def test_links_lead_to_the_page_that_has_the_text_or_to_the_file() -> None:
    found = Sources({"README.md": "index.md", "notes/README.md": "notes.md"})
    text = found.expand("index.md", "<!-- include README.md -->")
    assert "[below](#serve), [the rules](code/rules.toml.md#L1), [notes](notes.md)" in text
    assert "[the web](https://example.org/a.toml)" in text
    assert "[serve](a/serve.md#nodes)" in text
    assert "![a picture](files/pictures/a.png) and an empty directory." in text
    own = "[home](../../../README.md), [rules](../../../rules.toml), [another](../b.md) and [this](#here)"
    assert found.expand("a/serve.md", own) == (
        "[home](../index.md), [rules](../code/rules.toml.md), [another](../b.md) and [this](#here)"
    )
    assert found.shown == {"rules.toml", "pictures/a.png"}


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("<!-- include GONE.md -->", "GONE.md cannot be included"),
        ("[gone](../../gone.py)", "page.md leads to gone.py"),
    ],
)
def test_what_is_not_there_is_said(page: str, says: str) -> None:
    with pytest.raises(SourceError, match=re.escape(says)):
        Sources({}).expand("page.md", page)


@pytest.mark.usefixtures("repository")
def test_a_file_is_shown_whole_whatever_stands_in_it() -> None:
    assert '````toml\ntext = "```"\n````\n' in file_page("rules.toml")


def test_a_cell_does_not_end_at_a_bar_and_text_is_no_markup() -> None:
    assert table(("a",), [("x | `A|B`\ny",)]) == "| a |\n| --- |\n| x \\| `A|B` y |\n\n"
    assert table(("a",), []) == ""
    assert plain("a_b <c> `d_e` *f*") == r"a\_b \<c\> `d_e` \*f\*"
