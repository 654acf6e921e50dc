"""`harness schema`: what a stored result looks like."""

import json

import typer

from harness.result import json_schema


def schema() -> None:
    """Print the JSON Schema of a stored result."""
    typer.echo(json.dumps(json_schema(), indent=2))
