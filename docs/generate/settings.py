"""The reference of settings: those of a server, as `matchstream config settings` has them, and the kernel's."""

from __future__ import annotations

from typing import Any

import typer

from common.tuning.profile import parse_profile
from docs.generate.markdown import code, plain, table
from docs.generate.sources import ROOT
from stages.cli import app
from stages.settings import settings_of

_OPENING = """# Settings

## Of a server

Each can come from a flag, a variable or a file (`matchstream serve --config FILE`): what is given by a flag wins over a
variable, that over the file, and that over the default. Options of other commands can come from variables, too: these
stand with them ([matchstream](matchstream.md), [harness](harness.md)).

"""


def describe_settings() -> str:
    """Return the text of the page."""
    group: Any = typer.main.get_command(app)
    rows = (
        (f"{code(one.name)}<br>{code(one.variable)}", plain(one.does), plain(one.takes), plain(one.default))
        for one in settings_of(group.commands["serve"].params)
    )
    heads = ("in a file, and as a variable", "what it is", "takes", "default")
    return f"{_OPENING}{table(heads, rows)}{''.join(_profiles())}"


def _profiles() -> list[str]:
    heads = ("setting", "value", "the kernel's default", "why", "source")
    pages = []
    for file in sorted((ROOT / "sysctl").glob("*.toml")):
        profile = parse_profile(file.read_text(), file.stem)
        rows = (
            (code(one.name), code(one.value), plain(one.default), plain(one.reason), plain(one.source))
            for one in profile.settings
        )
        pages.append(f"## Kernel: {profile.name}\n\n{plain(profile.purpose)}\n\n{table(heads, rows)}")
    return pages
