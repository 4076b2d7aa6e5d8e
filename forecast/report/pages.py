"""How a report is written: one HTML page a ticker and an index, each whole, self-contained and closed to the network.

A page's content security policy allows the two scripts inside it, by their hashes, and no request; every text that
comes from outside is escaped by the template.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.errors import ForecastError, RunError
from forecast.library import Failure, check_tickers, check_writable, stored_tickers, surviving
from forecast.prices.snapshots import write_whole
from forecast.prices.tickers import folder_from_ticker
from forecast.report.index import index_values
from forecast.report.pictures import Chart
from forecast.report.sections import page_values
from forecast.report.stored import load_stored, load_summary, unserved_tickers
from forecast.scoring import verify

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
INDEX = "index.html"


@dataclass(frozen=True)
class Report:
    """What was written.

    Args:
        index: path of the index.
        pages: by ticker, in the order given.
        failures: tickers without a page, and why.
    """

    index: Path
    pages: dict[str, Path]
    failures: list[Failure]


def write_report(tickers: Sequence[str], workspace: Path, now: datetime | None = None) -> Report:
    """Write a page for each ticker, of all that have a champion where none is named, and the index over all.

    Args:
        tickers: symbols with a champion.
        workspace: folder of data/ and models/; the pages go to models/report/.
        now: the present, for tests; UTC.

    Raises:
        RunError: nothing is stored, or the ledger was tampered with.
        ForecastError: plotly or jinja2 is not installed.
    """
    models = workspace / "models"
    stored = stored_tickers(models)
    if not tickers and not stored:
        raise RunError(f"{models} holds no runs yet. Type: forecast train TSLA")
    unserved = unserved_tickers(workspace)
    checked = check_tickers(tickers) if tickers else [ticker for ticker in stored if ticker not in unserved]
    environment = make_environment(now or datetime.now(UTC))
    verify(workspace)
    folder, failures = check_writable(models / "report"), []

    def write(ticker: str) -> tuple[str, Path]:
        path = folder / f"{folder_from_ticker(ticker)}.html"
        write_whole(path, format_page(environment, page_values(load_stored(ticker, workspace))).encode())
        return ticker, path

    pages = dict(surviving(write, checked, failures))
    write_whole(folder / INDEX, format_index(environment, workspace, {path.name for path in folder.glob("*.html")}).encode())
    return Report(folder / INDEX, pages, failures)


def format_page(environment: Environment, values: dict[str, object]) -> str:
    """A ticker's page, from what `page_values` says of it."""
    from markupsafe import Markup

    charts = [value for value in values.values() if isinstance(value, Chart)]
    charts += [each for value in values.values() if isinstance(value, list) for each in value if isinstance(each, Chart)]
    scripts = {"plotly": _plotly(), "draw": (TEMPLATES / "draw.js").read_text(encoding="utf-8")}
    return environment.get_template("page.html").render(
        **values,
        policy=make_policy(*scripts.values()),
        charts=Markup(format_data({chart.id: asdict(chart) for chart in charts})),
        **{name: Markup(script) for name, script in scripts.items()},
    )


def format_index(environment: Environment, workspace: Path, pages: set[str]) -> str:
    """The index over every ticker that is stored or watched; those without a page of their own have no link."""
    failures: list[Failure] = []
    unserved = unserved_tickers(workspace)
    served = [ticker for ticker in stored_tickers(workspace / "models") if ticker not in unserved]
    summaries = list(surviving(lambda ticker: load_summary(ticker, workspace), served, failures))
    values = index_values(summaries, pages, unserved)
    return environment.get_template(INDEX).render(policy=make_policy(), failures=failures, **values)


def format_data(values: object) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element."""
    return json.dumps(values, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def make_policy(*scripts: str) -> str:
    """A content security policy under which these scripts run, and nothing is asked of any network."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def make_environment(now: datetime) -> Environment:
    """Where the templates are, every value escaped; what all pages share.

    Raises:
        ForecastError: jinja2 or plotly is not installed.
    """
    from importlib.metadata import version

    try:
        import jinja2
        import plotly  # noqa: F401: missed now rather than after the work
    except ImportError as error:
        raise ForecastError(f"`forecast report` needs {error.name}. Type: pip install 'forecast[report]'") from error
    from markupsafe import Markup

    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.globals.update(
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        version=version("forecast"),
        written=f"{now:%Y-%m-%d %H:%M} UTC",
    )
    return environment


@cache
def _plotly() -> str:
    """plotly.js, as the package of its name ships it: 5 MB, its licence in the first lines."""
    from importlib.resources import files

    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
