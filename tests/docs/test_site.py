"""`make docs`: the whole site, built strictly, as that does it; who opens it asks no other host for anything."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from stages.catalogue import LESSONS, STAGES
from stages.worth import RESULTS
from stages.worth.ablations import read_worths, summaries_in
from tests.printed_commands import COMMANDS_OF

ROOT: Final = Path(__file__).parents[2]
LOADED_LINKS: Final = {
    "stylesheet",
    "icon",
    "preload",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "prefetch",
    "manifest",
}
ADDRESSES: Final = {"src", "srcset", "poster", "data", "background"}
"""The attributes whose address a browser loads by itself, of whatever element."""
IN_STYLES: Final = re.compile(r"""(?:url\(\s*["']?|@import\s*["'])\s*(?:https?:)?//""")
ELSEWHERE: Final = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("material") is None or importlib.util.find_spec("mkdocstrings") is None,
    reason="needs mkdocs-material: pip install 'matchstream-lab[docs]'",
)


class Loaded(HTMLParser):
    """Gathers what a browser would load of other hosts for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        loaded = [value for name, value in given.items() if name in ADDRESSES]
        if tag == "link" and LOADED_LINKS & set(given.get("rel", "").split()):
            loaded.append(given.get("href", ""))
        if tag in {"use", "image"}:
            loaded.append(given.get("href", "") + given.get("xlink:href", ""))
        self.elsewhere += [f"{tag}: {address}" for address in loaded if ELSEWHERE.match(address)]
        self._look_at_style(given.get("style", ""))
        if "mermaid" in given.get("class", "").split():
            self.elsewhere.append("the theme fetches what draws it")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self._look_at_style(data)

    def _look_at_style(self, style: str) -> None:
        self.elsewhere += [found[0] for found in IN_STYLES.finditer(style)]


def loaded_from_elsewhere(html: str) -> list[str]:
    """Return what a browser would ask other hosts for, who opens this page."""
    parser = Loaded()
    parser.feed(html)
    return parser.elsewhere


@pytest.mark.parametrize(
    "html",
    [
        "<script src=https://cdn.example/x.js></script>",
        '<link rel="stylesheet" href="//fonts.example/css">',
        "<img srcset='http://pictures.example/a.png 2x'>",
        "<style>a { background: url('https://pictures.example/a.png') }</style>",
        "<p style='background:url(//pictures.example/a.png)'>",
        '<pre class="mermaid">graph</pre>',
    ],
)
def test_what_a_browser_would_load_is_found(html: str) -> None:
    assert loaded_from_elsewhere(html)
    assert loaded_from_elsewhere('<a href="https://example.org">a link</a><script src="../x.js"></script>') == []


def is_measured(lesson: str) -> bool:
    """Return whether there is something to draw of a lesson: it was left out, and some figure of that was measured."""
    worths = read_worths(lesson, RESULTS) if summaries_in(RESULTS) else ()
    ratios = (ratio for one in worths if one.change == "left out" for ratio in one.ratios)
    return any(ratio.judgement != "not measured" for ratio in ratios)


@pytest.mark.slow
def test_the_site_is_whole_and_asks_no_other_host_for_anything(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", "-d", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*.html")}

    assert {uri: found for uri, html in pages.items() if (found := loaded_from_elsewhere(html))} == {}
    styles = {file.name: file.read_text() for file in tmp_path.rglob("*.css")}
    assert styles
    assert {name: found for name, text in styles.items() if (found := IN_STYLES.findall(text))} == {}

    measured = {lesson.name for lesson in LESSONS if is_measured(lesson.name)}
    assert {file.stem for file in (tmp_path / "lessons").glob("*.png")} == measured
    for name in STAGES:
        assert f"matchstream serve --stage {name} " in pages[f"course/stage-{name}.html"]
    for lesson in LESSONS:
        html = pages[f"lessons/{lesson.name}.html"]
        assert all(heading in html for heading in (">Cause<", ">What exercises it<", ">What it is worth here<"))
        drawn = f'src="{lesson.name}.png"' in html
        if RESULTS.is_dir() and any(
            one.ratios for one in read_worths(lesson.name, RESULTS) if one.change == "left out"
        ):
            assert drawn
    for program, group in COMMANDS_OF.items():
        html = pages[f"reference/{program}.html"]
        assert all(f'id="{program}-{name}' in html for name in group.commands)  # type: ignore[attr-defined]
    assert 'id="post-1matchidevents"' in pages["reference/api.html"]
    assert "matchstream_worker_connections" in pages["reference/metrics.html"]
    assert "MATCHSTREAM_TOKEN" in pages["operating/index.html"]
    settings = pages["reference/settings.html"]
    assert all(word in settings for word in ("http-port", "MATCHSTREAM_TOKEN", "net.core.somaxconn"))
    assert "one more step of tuning" in pages["index.html"]
