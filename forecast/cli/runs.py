"""`forecast runs`: what is stored."""

from __future__ import annotations

import typer

from forecast.cli.shared import Shared, command

app = typer.Typer(no_args_is_help=True, help="The stored runs.")


@app.command("list")
@command
def list_(shared: Shared) -> None:
    """Every stored run, newest last."""
