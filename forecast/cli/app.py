"""The commands of `forecast`, each in a module of its own."""

import typer

from forecast.cli import data, runs, schedule
from forecast.cli.audit import audit
from forecast.cli.backtest import backtest
from forecast.cli.compare import compare
from forecast.cli.doctor import doctor
from forecast.cli.explain import explain
from forecast.cli.init import init
from forecast.cli.predict import predict
from forecast.cli.report import report
from forecast.cli.retrain import retrain
from forecast.cli.score import score
from forecast.cli.shared import main_callback
from forecast.cli.status import status
from forecast.cli.train import train

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
app.callback()(main_callback)
app.command()(train)
app.command()(compare)
app.command()(predict)
app.command()(explain)
app.command()(score)
app.command()(backtest)
app.command()(audit)
app.command()(retrain)
app.command()(status)
app.command()(report)
app.command()(init)
app.command()(doctor)
app.add_typer(schedule.app, name="schedule")
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
