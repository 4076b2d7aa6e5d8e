"""A loopback server that answers as Yahoo does, reached by the real yfinance through a proxy.

    with loopback_yahoo(tmp_path) as yahoo:
        yahoo.serve_csv("TSLA", real_prices_folder / "daily" / "TSLA.csv", until="2024-05-31")
        subprocess.run([...], env=os.environ | yahoo.environment)
        yahoo.until["TSLA"] = "2024-06-03"        # a session more
        yahoo.fail("TSLA", "http 429")            # see FAILURES
        assert yahoo.n_charts("TSLA") == 2

In the test's own process set the same variables with `monkeypatch.setenv`.
"""

from __future__ import annotations

import csv
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest

NOT_FOUND = {
    "chart": {
        "result": None,
        "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"},
    }
}
HTML = b"<!doctype html><html><body>Will be back soon</body></html>"
# What `fail` can do: status and body, or a way to leave the client without an answer.
FAILURES: dict[str, tuple[int, bytes] | str] = {
    "http 429": (429, b"Too Many Requests\r\n"),
    "http 404": (404, json.dumps(NOT_FOUND).encode()),
    "http 401": (401, b'{"finance":{"result":null,"error":{"code":"Unauthorized"}}}'),
    "http 500": (500, b"Internal Server Error"),
    "html": (200, HTML),
    "truncated": (200, b'{"chart":{"result":[{"meta":{"currency":"USD","sym'),
    "new format": (200, b'{"chart":{"result":[{"bars":[1,2,3]}],"error":null}}'),
    "empty": (200, b'{"chart":{"result":[],"error":null}}'),
    "timeout": "wait",
    "dropped": "close",
}
Rows = list[dict[str, str]]


class LoopbackYahoo:
    """What the server answers, and what it was asked.

    Args:
        environment: variables for a subprocess that is to reach this server as Yahoo.
        until: for each served CSV the last session that the server knows, ISO.
        requests: "host/path" of every request, oldest first.
    """

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        self.until: dict[str, str] = {}
        self.requests: list[str] = []
        self._answers: dict[str, Callable[[], tuple[int, bytes] | str]] = {}
        self.closing = threading.Event()

    def serve_csv(self, ticker: str, path: Path, until: str = "9999", **meta: object) -> None:
        """Answer with a daily CSV (Date,Open,High,Low,Close,Adj Close,Volume), up to a session."""
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        self.until[ticker] = until

        def answer() -> tuple[int, bytes]:
            known = [row for row in rows if row["Date"] <= self.until[ticker]]
            return 200, json.dumps(chart_from_rows(ticker, known, **meta)).encode()

        self._answers[ticker] = answer

    def serve_json(self, ticker: str, document: object) -> None:
        """Answer with a chart as recorded, or as `chart_from_rows` makes it."""
        self._answers[ticker] = lambda: (200, json.dumps(document).encode())

    def fail(self, ticker: str, failure: str) -> None:
        """Answer with one of `FAILURES`."""
        self._answers[ticker] = lambda: FAILURES[failure]

    def n_charts(self, ticker: str | None = None) -> int:
        """How often prices were asked for, of one ticker or of all."""
        charts = [request for request in self.requests if "/v8/finance/chart/" in request]
        return len([each for each in charts if ticker in (None, each.rpartition("/")[2])])

    def answer(self, host: str, path: str) -> tuple[int, bytes] | str:
        """What a request is answered with."""
        self.requests.append(host + path)
        if path.startswith("/v8/finance/chart/"):
            answer = self._answers.get(path.rpartition("/")[2])
            return answer() if answer else FAILURES["http 404"]
        return (200, b"loopback-crumb") if path.endswith("/getcrumb") else (404, b"")


@contextmanager
def loopback_yahoo(folder: Path) -> Iterator[LoopbackYahoo]:
    """A running server on 127.0.0.1; skips the test where openssl is not installed.

    Args:
        folder: for its certificate and key.
    """
    certificate, key = _make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = f"http://127.0.0.1:{server.server_port}"
    environment = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "REQUESTS_CA_BUNDLE": str(certificate)}
    environment |= {"NO_PROXY": "", "no_proxy": "", "CURL_CA_BUNDLE": str(certificate)}
    server.yahoo = LoopbackYahoo(environment)
    server.tls = context
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield server.yahoo
    finally:
        server.yahoo.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def chart_from_rows(ticker: str, rows: Rows, **meta: object) -> dict:
    """Yahoo's chart answer for rows of a daily CSV.

    Args:
        rows: as `csv.DictReader` gives them; an empty cell becomes null.
        meta: replaces Yahoo's description of the instrument; `events` and `live_at`, a last stamp
            that is not the session's open, go to their own places.
    """
    events, live_at = meta.pop("events", None), meta.pop("live_at", None)
    described = {
        "currency": "USD",
        "symbol": ticker,
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "longName": f"{ticker} Incorporated",
        "dataGranularity": "1d",
        "range": "max",
        "priceHint": 2,
        "validRanges": ["1d", "5d", "1mo", "1y", "max"],
        **meta,
    }
    stamps = [stamp_of(row["Date"], described["exchangeTimezoneName"]) for row in rows]
    if live_at:
        stamps[-1] = int(live_at.timestamp())
    column = lambda name: [float(row[name]) if row.get(name) else None for row in rows]  # noqa: E731
    quote = {name: column(name.capitalize()) for name in ("open", "high", "low", "close", "volume")}
    adjusted = [a if a is not None else c for a, c in zip(column("Adj Close"), quote["close"], strict=True)]
    result = {
        "meta": described,
        "timestamp": stamps,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": adjusted}]},
    }
    if events:
        result["events"] = events
    return {"chart": {"result": [result], "error": None}}


def stamp_of(session: str, timezone: str = "America/New_York") -> int:
    """Seconds since 1970 of half past nine on a session, as Yahoo stamps daily bars."""
    opening = datetime.fromisoformat(session) + timedelta(hours=9, minutes=30)
    return int(opening.replace(tzinfo=ZoneInfo(timezone)).timestamp())


class _Handler(BaseHTTPRequestHandler):
    """A proxy that is itself every host it is asked to connect to."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200, "Connection established")
        self.end_headers()
        self.rfile.close()
        try:
            with self.server.tls.wrap_socket(self.connection, server_side=True) as self.connection:
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
                self.close_connection = False
                while not self.close_connection:
                    self.handle_one_request()
                self.rfile.close()
                self.wfile.close()
        except (OSError, ValueError):
            pass  # the client went away, or was left without an answer
        self.rfile, self.wfile = BytesIO(), BytesIO()  # the base class flushes them once more
        self.close_connection = True

    def do_GET(self) -> None:
        answer = self.server.yahoo.answer(self.host, unquote(urlsplit(self.path).path))
        if isinstance(answer, str):
            if answer == "wait":
                self.server.yahoo.closing.wait(60)
            self.close_connection = True
            self.connection.close()
            return
        status, body = answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for Yahoo's hosts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: there is no certificate for the loopback server")
    certificate, key = folder / "loopback-certificate.pem", folder / "loopback-key.pem"
    names = "subjectAltName=DNS:yahoo.com,DNS:*.yahoo.com,DNS:*.finance.yahoo.com"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=loopback", "-addext", names]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
