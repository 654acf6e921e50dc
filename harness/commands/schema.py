"""`harness schema`: what a stored result looks like."""

import json
from typing import Annotated

import typer

from harness.records.kinds import json_schema, kinds


def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(kinds())}.")] = "trial",
) -> None:
    """Print the JSON Schema of a kind of stored result."""
    typer.echo(json.dumps(json_schema(kind), indent=2))
