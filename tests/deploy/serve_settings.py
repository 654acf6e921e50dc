"""What the server would make of the variables that a file of `deploy/` sets."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from stages.catalogue import find_stage
from stages.settings import settings_of
from tests.deploy.shipped import DEPLOY
from tests.printed_commands import COMMANDS_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVE: Final = COMMANDS_OF["matchstream"].commands["serve"]  # type: ignore[attr-defined]
CONTAINERFILE: Final = (DEPLOY / "Containerfile").read_text()
IMAGE_SETS: Final = dict(
    re.findall(r"(MATCHSTREAM_\w+)=(\S+)", CONTAINERFILE.partition("\nENV ")[2].partition("\nEXPOSE")[0])
)
IMAGE: Final = "matchstream"
VERSION: Final = "0.1.0"
_PINNED: Final = re.compile(r".+:v?\d+\.\d+(\.\d+)?(-slim)?")


def settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of `matchstream serve` in the image, with these variables besides; fail if it refused one."""
    ours = {name: value for name, value in {**IMAGE_SETS, **variables}.items() if name.startswith("MATCHSTREAM_")}
    unknown = ours.keys() - {setting.variable for setting in settings_of(SERVE.params)}
    assert not unknown, unknown
    with patch.dict(os.environ, ours):
        return dict(SERVE.make_context("serve", []).params)


def ports(found: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the first and the last port of a node with such options, by who is served there."""
    parts = find_stage(found["stage"]).parts
    return {
        "fans": (found["port"], found["port"] + parts.fan_listeners - 1),
        "http": (found["http_port"], found["http_port"] + parts.http_listeners - 1),
        "browsers": (found["browser_port"], found["browser_port"]),
    }


def is_pinned(image: str) -> bool:
    """Whether an image is always the same one, but for what is mended in it."""
    return _PINNED.fullmatch(image) is not None
