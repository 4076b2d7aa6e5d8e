"""docs/data.md shows what really happens to real files and answers.

`FORECAST_WRITE_DOCS=1 python -m pytest tests/prices/test_documented.py` writes its tables anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecast.errors import ForecastError
from forecast.prices import yahoo as yahoo_module
from forecast.prices.sources import fetch_prices, import_prices
from forecast.prices.table import Prices
from tests.yahoo_server import FAILURES, loopback_yahoo

DOCS = Path(__file__).parents[2] / "docs" / "data.md"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICKERS = {  # what a person would name beside the file
    "investing_ptbr_decimal_comma_IBOV.csv": "^BVSP",
    "nasdaq_index_no_volume_SPX.csv": "^GSPC",
    "yfinance_wide_close_matrix_mag7.csv": "TSLA",
    "yfinance_bad_4063-T-1d-bad-stock-split.csv": "4063.T",
    "yfinance_bad_8TRA-DE-1d-missing-div-adjust.csv": "8TRA.DE",
    "yfinance_bad_AET-L-1d-100x-error.csv": "AET.L",
}


def ticker_of(path: Path) -> str:
    """The ticker in a file's name."""
    return TICKERS.get(path.name) or re.search(r"(TSLA|TWTR|FB|RELIANCE\.NS|7203\.T)", path.name)[1]


def compare_with_docs(name: str, header: str, rows: list[str]) -> None:
    """Compare a table with the one between its markers, or write it there."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    table = "\n".join([header, re.sub(r"[^|]+", "---", header), *rows])
    text = DOCS.read_text()
    before, _, rest = text.partition(begin)
    documented, _, after = rest.partition(end)
    if os.environ.get("FORECAST_WRITE_DOCS"):
        DOCS.write_text(f"{before}{begin}\n{table}\n{end}{after}")
        return
    assert documented.strip() == table


def outcome(read: Callable[[], Prices], where: str) -> str:
    """Cells of a row: rows, range and notices, or the refusal without the path."""
    try:
        prices = read()
    except ForecastError as refusal:
        reason = str(refusal).replace(where, "").strip(" :,")
        return f"refused | | {reason}".replace("\n", " ")
    first, last = prices.sessions[[0, -1]].astype(str)
    return f"{len(prices)} | {first} to {last} | {' '.join(prices.notices) or 'nothing'}"


def test_the_table_of_files_is_true(real_prices_folder, tmp_path):
    rows = []
    for path in sorted((real_prices_folder / "formats").iterdir()):
        ticker = ticker_of(path)
        cells = outcome(lambda: import_prices(ticker, path, folder=tmp_path, now=NOW), str(path))  # noqa: B023
        rows.append(f"| {path.name} | {ticker} | {cells} |")
    assert len(rows) >= 20
    compare_with_docs("formats", "| file | ticker | rows | range | left out, or why refused |", rows)


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    """A loopback Yahoo, asked with a tenth of the usual patience."""
    monkeypatch.setattr(yahoo_module, "_rate_limited_at", None)
    monkeypatch.setattr(yahoo_module, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(yahoo_module, "TIMEOUT", yahoo_module.TIMEOUT / 10)
    monkeypatch.setattr(yahoo_module, "PATIENCE", yahoo_module.PATIENCE / 10)
    with loopback_yahoo(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_the_table_of_answers_is_true(yahoo, real_prices_folder, tmp_path):
    rows = []
    for path in sorted((real_prices_folder / "yahoo").glob("*.json")):
        document = json.loads(path.read_bytes())
        body = document["response"]["bodyJson"] if "response" in document else document
        result = (body.get("chart", {}).get("result") or [{}])[0]
        ticker = result.get("meta", {}).get("symbol", "GS2C.DE")
        yahoo.serve_json(ticker, body)
        folder = tmp_path / path.stem
        cells = outcome(lambda: fetch_prices(ticker, folder=folder, now=NOW), str(folder))  # noqa: B023
        rows.append(f"| {path.name} | {ticker} | {cells} |")
    assert len(rows) >= 15
    compare_with_docs("answers", "| answer | ticker | rows | range | left out, or why refused |", rows)


def test_the_table_of_failures_is_true(yahoo, tmp_path):
    rows = []
    for failure in FAILURES:
        yahoo_module._rate_limited_at = None
        yahoo.requests.clear()
        yahoo.fail("TSLA", failure)
        with pytest.raises(ForecastError) as raised:
            fetch_prices("TSLA", folder=tmp_path / failure.replace(" ", ""), now=NOW)
        message = str(raised.value).replace("within 1 s", "within 10 s")
        rows.append(f"| {failure} | {message} | {raised.value.exit_code} | {yahoo.n_charts()} |")
    compare_with_docs("failures", "| Yahoo | message | exit code | requests |", rows)
