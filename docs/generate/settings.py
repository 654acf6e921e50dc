"""The reference of settings: variables of `matchstream`, and the kernel's in the profiles of `sysctl/`."""

from __future__ import annotations

from common.tuning.profile import parse_profile
from docs.generate.commands import describe_variables
from docs.generate.markdown import code, plain, table
from docs.generate.sources import ROOT
from stages.cli import app

_OPENING = """# Settings

## Variables

Every option can come from a variable: an option that is given wins, and a variable that is set to nothing counts as not
set. Those of the harness have its command in their names (`-N` of `harness measure` is `HARNESS_MEASURE_N`): they stand
with the options of [its commands](harness.md).

"""


def describe_settings() -> str:
    """Return the text of the page."""
    profiles = []
    for file in sorted((ROOT / "sysctl").glob("*.toml")):
        profile = parse_profile(file.read_text(), file.stem)
        rows = (
            (code(one.name), code(one.value), plain(one.default), plain(one.reason), plain(one.source))
            for one in profile.settings
        )
        heads = ("setting", "value", "the kernel's default", "why", "source")
        profiles.append(f"## Kernel: {profile.name}\n\n{plain(profile.purpose)}\n\n{table(heads, rows)}")
    return f"{_OPENING}{describe_variables(app)}{''.join(profiles)}"
