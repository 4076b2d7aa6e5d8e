import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from forecast.automation import ping
from forecast.automation.ping import reported_to
from forecast.errors import ConfigError, TryAgainLater


@pytest.fixture
def listener():
    """A server on loopback, and the paths that it was asked for."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(500 if "angry" in self.path else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()
    thread.join()


def test_start_and_exit_code_are_told(listener):
    url, heard = listener
    with reported_to(f"{url}/abc/"):
        assert heard == ["/abc/start"]
    assert heard == ["/abc/start", "/abc/0"]


@pytest.mark.parametrize(
    ("end", "code"),
    [(SystemExit(75), 75), (SystemExit(None), 0), (TryAgainLater("x"), 75), (KeyboardInterrupt(), 130), (ValueError(), 1)],
)
def test_every_end_is_told_and_goes_on_as_it_was(listener, end, code):
    url, heard = listener
    with pytest.raises(type(end)) as raised, reported_to(url):
        raise end
    assert raised.value is end and heard == ["/start", f"/{code}"]


def test_a_dead_or_angry_address_never_fails_the_run(listener, monkeypatch):
    url, heard = listener
    monkeypatch.setattr(ping, "TIMEOUT", 0.5)
    for address in (f"{url}/angry", "http://127.0.0.1:9", "http://[bad", "http://nowhere.invalid"):
        with reported_to(address):
            pass
    assert heard == ["/angry/start", "/angry/0"]


def test_nobody_is_told_without_an_address(listener):
    with reported_to(None):
        pass
    assert listener[1] == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/x"])
def test_only_http_is_an_address(url):
    with pytest.raises(ConfigError, match="http://"), reported_to(url):
        raise AssertionError("the block must not begin")
