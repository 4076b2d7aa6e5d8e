"""The commands of `forecast`, each in a module of its own."""

import typer

from forecast.cli import runs
from forecast.cli.compare import compare
from forecast.cli.shared import main_callback
from forecast.cli.train import train

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
app.callback()(main_callback)
app.command()(train)
app.command()(compare)
app.add_typer(runs.app, name="runs")
