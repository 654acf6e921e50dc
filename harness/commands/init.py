"""`harness init`: the beginning of a description of one's own server."""

from typing import Annotated

import typer

from harness.commands.options import AskedError
from harness.targets.description import beginnings


def init(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(beginnings())}.")],
) -> None:
    """Print a description of a kind of server, with all that can be said, to be written to a file and changed.

    Then `harness check FILE` plays one fan of it, and `harness measure --target FILE` measures it.
    """
    found = beginnings().get(kind)
    if found is None:
        raise AskedError(f"there is no kind of server {kind!r}: give one of {', '.join(beginnings())}")
    typer.echo(found, nl=False)
