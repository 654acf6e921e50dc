"""The lines of code that a step shows."""

import inspect
import textwrap
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


class Excerpt(NamedTuple):
    """Where it stands, a path from the project's root and a line, and the lines."""

    where: str
    lines: tuple[str, ...]


def excerpt(name: str) -> Excerpt:
    """Return the source of `module:object`, or of `module:object.method`."""
    module_name, _, path = name.partition(":")
    module = import_module(module_name)
    found: object = module
    for part in path.split("."):
        found = getattr(found, part)
    if not inspect.isroutine(found) and not inspect.isclass(found):
        raise TypeError(f"{name} is no function and no class")
    lines, first = inspect.getsourcelines(found)
    file = Path(*module_name.split("."))
    is_package = hasattr(module, "__path__")
    where = file / "__init__.py" if is_package else file.with_suffix(".py")
    return Excerpt(f"{where}:{first}", tuple(textwrap.dedent("".join(lines)).splitlines()))
