"""What MkDocs calls while it builds the site: pages that are made from the code are added, the others filled in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import nbformat
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from docs.generate.api import describe_api
from docs.generate.commands import describe_commands
from docs.generate.lessons import Course, introduced_by, lesson_uri, read_door_costs, read_worths, stage_uri
from docs.generate.metrics import describe_metrics
from docs.generate.settings import describe_settings
from docs.generate.sources import PICTURES, ROOT, SourceError, Sources, file_page, place_of
from harness.cli import app as harness
from harness.commands.report import NOTEBOOKS
from harness.show.report.page import Part
from harness.show.report.page import page as report_page
from stages.catalogue import PACKAGES
from stages.cli import app as matchstream

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_WHOLE: Final = {
    "README.md": "index.md",
    "deploy/RUNBOOK.md": "operating/runbook.md",
    "sysctl/README.md": "operating/kernel.md",
    "reports/README.md": "reports.md",
    "reports/design-notes.md": "design-notes.md",
    "CHANGELOG.md": "changelog.md",
}
"""Which page has the whole of a file."""
_COURSE: Final = "Course"
_OVERVIEW: Final = "<!-- all lessons -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the stages and their lessons to the navigation, below the course."""
    for section in config.nav or ():
        if isinstance(section, dict) and _COURSE in section:
            section[_COURSE].extend(
                {f"Stage {stage.name}": [stage_uri(stage), *map(lesson_uri, introduced_by(stage))]}
                for stage in (package.STAGE for package in PACKAGES)
            )
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made, in place of what it is made from. Raise PluginError where a page includes what is not there."""
    sources = Sources(_WHOLE)
    written = {file.src_uri: file.content_string for file in files.documentation_pages()}
    course = Course(sources, read_worths(), read_door_costs())
    try:
        made: dict[str, str | bytes] = {
            **{uri: _filled(uri, text, sources, course) for uri, text in written.items()},
            "reference/matchstream.md": describe_commands("matchstream", matchstream),
            "reference/harness.md": describe_commands("harness", harness),
            "reference/api.md": describe_api(),
            "reference/metrics.md": describe_metrics(),
            "reference/settings.md": describe_settings(),
            **dict(course.pages()),
            **_notebooks(),
        }
        made.update({place_of(path): _file(path) for path in sorted(sources.shown)})
    except SourceError as error:
        raise PluginError(str(error)) from error
    for uri, content in made.items():
        if (old := files.get_file_from_path(uri)) is not None:
            files.remove(old)
        files.append(File.generated(config, uri, content=content))
    return files


def _filled(uri: str, text: str, sources: Sources, course: Course) -> str:
    return sources.expand(uri, text.replace(_OVERVIEW, course.overview()))


def _file(path: str) -> str | bytes:
    return (ROOT / path).read_bytes() if Path(path).suffix in PICTURES else file_page(path)


def _notebooks() -> dict[str, str]:
    """Return the page of all notebooks, as they were executed when the results came."""
    parts = [Part(name, nbformat.read(ROOT / "reports" / f"{name}.ipynb", as_version=4)) for name in NOTEBOOKS]
    return {"report.html": report_page(parts)}
