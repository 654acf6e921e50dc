"""`harness schema`: what a stored result looks like, or the description of a server."""

import json
from typing import Annotated

import typer

from harness.commands.options import AskedError
from harness.records.kinds import json_schema, kinds
from harness.targets.description import description_schema

DESCRIPTION = "description"


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help=f"One of {', '.join((*kinds(), DESCRIPTION))}.")
    ] = "trial",
) -> None:
    """Print the JSON Schema of a kind of stored result, or of the file that describes a server for --target."""
    if kind not in {*kinds(), DESCRIPTION}:
        raise AskedError(f"there is no schema of {kind!r}: give one of {', '.join((*kinds(), DESCRIPTION))}")
    typer.echo(json.dumps(description_schema() if kind == DESCRIPTION else json_schema(kind), indent=2))
