"""What pages include of the repository's texts, and where the links in those lead then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.generate import sources
from docs.generate.markdown import plain, table
from docs.generate.sources import SourceError, Sources, file_page, slug

if TYPE_CHECKING:
    from pathlib import Path

README = """# The lab
What it is.
<!-- figures -->
A figure: <!-- a b -->12<!-- / --> fans.

## Serve
See [below](#two-nodes), [the rules](rules.toml#L1), [notes](notes/), [the web](https://example.org/a.toml).

### Two nodes
![a picture](pictures/a.png) and [an empty directory](empty).

## End
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
def test_a_section_is_included_with_those_below_it_as_one_of_the_second_level() -> None:
    page = "<!-- include README.md: Two nodes -->\n"
    text = Sources({"README.md": "index.md"}).expand("a/page.md", page)
    assert text.startswith("## Two nodes\n![a picture](../files/pictures/a.png) and an empty directory.\n")
    assert "## End" not in text
    whole = Sources({"README.md": "index.md"}).expand("page.md", "<!-- include README.md: Serve -->")
    assert re.findall(r"^#+ .*", whole, re.MULTILINE) == ["## Serve", "### Two nodes"]


@pytest.mark.usefixtures("repository")
def test_a_section_alone_ends_before_figures_and_sections() -> None:
    text = Sources({}).expand("page.md", "<!-- include README.md: The lab, alone -->")
    assert text.split("\n") == ["# The lab", "What it is.", ""]


@pytest.mark.usefixtures("repository")
def test_a_figure_stays_where_its_marks_go() -> None:
    assert "A figure: 12 fans." in Sources({}).expand("page.md", "<!-- include README.md: The lab -->")


@pytest.mark.usefixtures("repository")
def test_links_lead_to_the_page_that_has_the_text_or_to_the_file() -> None:
    found = Sources({"README.md": "index.md", "notes/README.md": "notes.md"})
    pages = {"serve.md": "<!-- include README.md: Serve -->", "more/nodes.md": "<!-- include README.md: Two nodes -->"}
    for uri, text in reversed(pages.items()):
        found.learn(uri, text)
    text = found.expand("serve.md", pages["serve.md"])
    assert "[below](more/nodes.md#two-nodes)" in text
    assert "[the rules](code/rules.toml.md#L1), [notes](notes.md), [the web](https://example.org/a.toml)" in text
    assert found.expand("a/notes.md", "<!-- include notes/README.md -->").endswith("[up](../code/rules.toml.md)\n")
    assert found.expand("page.md", "[rules](repo:rules.toml)") == "[rules](code/rules.toml.md)"
    assert found.shown == {"rules.toml", "pictures/a.png"}


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("<!-- include GONE.md -->", "GONE.md cannot be included"),
        ("<!-- include README.md: Gone -->", "README.md has no heading 'Gone'"),
        ("[gone](repo:gone.py)", "page.md leads to gone.py"),
    ],
)
def test_what_is_not_there_is_said(page: str, says: str) -> None:
    with pytest.raises(SourceError, match=re.escape(says)):
        Sources({}).expand("page.md", page)


@pytest.mark.usefixtures("repository")
def test_a_file_is_shown_whole_whatever_stands_in_it() -> None:
    assert '````toml\ntext = "```"\n````\n' in file_page("rules.toml")


def test_an_anchor_is_made_of_a_heading_as_code_hosts_do() -> None:
    assert slug("Your own, and others (`a_b`)") == "your-own-and-others-a_b"


def test_a_cell_does_not_end_at_a_bar_and_text_is_no_markup() -> None:
    assert table(("a",), [("x | `A|B`\ny",)]) == "| a |\n| --- |\n| x \\| `A|B` y |\n\n"
    assert table(("a",), []) == ""
    assert plain("a_b <c> `d_e` *f*") == r"a\_b \<c\> `d_e` \*f\*"
