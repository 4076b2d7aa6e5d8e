"""The commands of `forecast`, each in a module of its own, which is imported when the command is asked for."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from forecast.cli.shared import main_callback

COMMANDS = (
    "train", "compare", "predict", "explain", "score", "backtest", "audit", "retrain", "status", "report", "init", "doctor",
    "schedule", "data", "runs",
)  # fmt: skip


class _Commands(Mapping):
    """The commands by name; looking one up imports its module and no other."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        return _load_command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Forecast(TyperGroup):
    """`forecast` itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"commands": _Commands()})


@cache
def _load_command(name: str) -> Any:
    """A module's group of commands, or the one command that is called as the module is."""
    module = import_module(f"forecast.cli.{name}")
    commands = getattr(module, "app", None)
    if commands is None:
        commands = typer.Typer(add_completion=False)
        commands.command()(getattr(module, name))
    command = typer.main.get_command(commands)
    command.name = name
    return command


app = typer.Typer(
    cls=_Forecast,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(main_callback)
