"""What all commands share: options before or after the command's name, and the one place that catches errors."""

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli.tables import print_error, print_notice
from forecast.config import Config, Settings, find_workspace, load_settings, make_config
from forecast.errors import ForecastError

if TYPE_CHECKING:
    from forecast.library import Failure

INTERRUPTED = 130
SOME_FAILED = 10


def _shared(name: str, help: str, **bounds: Any) -> Any:
    return typer.Option(f"--{name}", help=help, rich_help_panel="Shared by all commands", show_default=False, **bounds)


@dataclass(frozen=True)
class Shared:
    """The options that every command has, declared once."""

    workspace: Annotated[
        Path | None, _shared("workspace", "Folder of data/, models/ and forecast.toml; else $FORECAST_HOME, else here.")
    ] = None
    json: Annotated[bool, _shared("json", "Print one JSON document, and nothing else.")] = False
    quiet: Annotated[bool, _shared("quiet", "No progress, no notices.")] = False
    debug: Annotated[bool, _shared("debug", "Show the traceback of an error.")] = False
    offline: Annotated[bool, _shared("offline", "Never ask the network.")] = False
    seed: Annotated[int | None, _shared("seed", "First seed of every network.", min=0)] = None

    @property
    def folder(self) -> Path:
        """The workspace."""
        return find_workspace(self.workspace)

    @property
    def data_folder(self) -> Path:
        """Where price snapshots are kept."""
        return self.folder / "data"

    @property
    def models_folder(self) -> Path:
        """Where runs, champions and the ledger are kept."""
        return self.folder / "models"

    @functools.cached_property
    def settings(self) -> Settings:
        """What the workspace's `forecast.toml` says."""
        return load_settings(self.folder)

    def config(self, flags: dict[str, object]) -> Config:
        """The configuration that flags and `forecast.toml` make; says which of the file's values do not count."""
        config, own = make_config(flags, self.settings), make_config({}, self.settings).recipe
        left_out = [name for name in self.settings.values if name != "recipe"]
        if left_out and config.recipe != own:
            self.notice(f"{', '.join(left_out)} of forecast.toml: for the recipe {own}, without effect on {config.recipe}.")
        return config

    def notice(self, sentence: str) -> None:
        """Say something on stderr that is not the result."""
        if not self.quiet:
            print_notice(sentence)

    def merged(self, later: "Shared") -> "Shared":
        """Flags count wherever they stand; of two values the one after the command's name does."""
        values = {field.name: getattr(later, field.name) for field in fields(Shared)}
        given = {name: value for name, value in values.items() if value is not None and value is not False}
        return Shared(**{**self.__dict__, **given})


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command as Typer wants it, from a function whose first argument is `shared: Shared`.

    Its signature gains the shared options, and a parameter that is a dataclass of options (`options.Training`)
    stands for its fields; a `ForecastError` becomes one sentence on stderr and its exit code.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    groups = {each.name: each.annotation for each in own if is_dataclass(each.annotation)}

    @functools.wraps(function)
    def wrapped(context: typer.Context, **values: Any) -> None:
        shared = context.find_root().obj.merged(_popped(Shared, values))
        values |= {name: _popped(options, values) for name, options in groups.items()}
        _run(shared, lambda: function(shared, **values))

    return _with_parameters(wrapped, [x for each in own for x in _expanded(each)])


def finish(failures: "Sequence[Failure]", n_tickers: int) -> None:
    """Say what failed; the exit code is the failures' own where all tickers failed alike, else 10."""
    for failure in failures:
        print_error(str(failure.error))
    codes = {failure.error.exit_code for failure in failures}
    if codes:
        sys.exit(codes.pop() if len(failures) == n_tickers and len(codes) == 1 else SOME_FAILED)


def print_version(is_wanted: bool) -> None:
    """Print the version and end, where that was asked for."""
    if is_wanted:
        from importlib.metadata import version

        print(version("forecast"))
        raise typer.Exit()


Version = Annotated[
    bool, typer.Option("--version", help="Print the version, and nothing else.", callback=print_version, is_eager=True)
]


def keep_shared(context: typer.Context, version: Version = False, **values: Any) -> None:
    """Forecast stock prices with SimpleRNN and LSTM networks, and say how good that is.

    To begin: forecast train TSLA, or forecast train DEMO, which needs no network.

    Exit codes: 0 done; 1 a failure it explains; 2 usage; 10 some tickers failed;
    65 bad data; 69 source unreachable and nothing cached; 75 try again later
    (rate limit, lock held); 78 bad configuration; 130 interrupted.
    """
    context.obj = _popped(Shared, values)


def _popped(options: type, values: dict[str, Any]) -> Any:
    """A dataclass of options, filled from the values that Typer gives."""
    return options(**{field.name: values.pop(field.name) for field in fields(options)})


def _options_of(options: type) -> list[inspect.Parameter]:
    """The fields of a dataclass of options as parameters."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(f.name, kind, default=f.default, annotation=f.type) for f in fields(options)]


def _expanded(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """A parameter, or the options that it stands for."""
    if is_dataclass(parameter.annotation):
        return _options_of(parameter.annotation)
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]


def _with_parameters(function: Callable[..., None], own: list[inspect.Parameter]) -> Callable[..., None]:
    """The function with a signature of the context, its own parameters and the shared ones."""
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *own, *_options_of(Shared)]
    function.__signature__ = inspect.Signature(parameters)
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


main_callback = _with_parameters(keep_shared, [inspect.signature(keep_shared).parameters["version"]])


def _run(shared: Shared, work: Callable[[], None]) -> None:
    try:
        work()
    except ForecastError as error:
        _fail(shared, str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail(shared, "Interrupted; nothing half-written was kept.", INTERRUPTED)


def _fail(shared: Shared, message: str, exit_code: int) -> None:
    if shared.debug:
        import traceback

        traceback.print_exc()
    print_error(message)
    sys.exit(exit_code)
