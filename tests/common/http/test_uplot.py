"""The library that draws charts is the one that its note says, and has its licence beside it."""

import hashlib
from pathlib import Path

from common.http import site

BESIDE = Path(site.__file__).parent


def test_it_is_what_its_note_says_byte_by_byte() -> None:
    note = (BESIDE / "uPlot.README").read_text()
    sums = dict(reversed(line.split()) for line in note.splitlines() if line.endswith((".js", ".css")))
    assert sums == {
        name: hashlib.sha256((BESIDE / name).read_bytes()).hexdigest()
        for name in ("uPlot.iife.min.js", "uPlot.min.css")
    }
    (version,) = (word.rstrip(",") for word in note.split() if word.startswith("1."))
    assert f"(v{version})" in (BESIDE / "uPlot.iife.min.js").read_text()[:80]
    assert "The MIT License" in (BESIDE / "uPlot.LICENSE").read_text()
