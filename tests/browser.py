"""A real browser for tests: Chromium without a window, spoken to over its DevTools protocol on loopback."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0     # [s] for an answer of a browser on a busy machine


def find_chromium() -> str | None:
    """Path of an installed Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab, and everything that happened in it.

    Attributes:
        requests: addresses that it asked for.
        messages: what it wrote to its console, warnings and exceptions included.
    """

    def __init__(self, socket) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.requests: list[str] = []
        self.messages: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: object) -> dict:
        """The browser's answer to one command."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def open(self, address: str, width: int = 1280, height: int = 900, scheme: str = "light") -> float:
        """Load an address in a window of that size; seconds until everything was drawn."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        started = time.monotonic()
        self.ask("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")
        self.wait_for("[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('.main-svg'))")
        return time.monotonic() - started

    def evaluate(self, expression: str) -> object:
        """What JavaScript makes of an expression, outside the page's own policy."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Return as soon as an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def mouse(self, kind: str, x: float, y: float, pressed: bool = False) -> None:
        """Move, press or release the mouse: "mouseMoved", "mousePressed", "mouseReleased"."""
        button = {"button": "left", "buttons": 1, "clickCount": 1} if pressed else {}
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def press(self, key: str) -> None:
        """Press and release a key that writes nothing, such as Tab or Enter."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Tab": 9, "Enter": 13}[key]
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, whole: bool = True) -> bytes:
        """A PNG of the page."""
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def _hear(self, message: dict) -> None:
        method, values = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.messages.append(f"{values['type']}: {[each.get('value') for each in values['args']]}")
        elif method == "Runtime.exceptionThrown":
            self.messages.append(f"exception: {values['exceptionDetails']}")
        elif method == "Log.entryAdded":
            self.messages.append(f"{values['entry']['level']}: {values['entry']['text']}")


@contextmanager
def chromium(path: str) -> Iterator[Page]:
    """A tab of a fresh browser that ends with the block."""
    from websockets.sync.client import connect

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [
            path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as browser:
            try:
                port = next(re.search(r":(\d+)/devtools", line)[1] for line in browser.stderr if "DevTools listening" in line)
                with connect(_address_of_tab(port), max_size=None, proxy=None) as socket:
                    yield Page(socket)
            finally:
                browser.terminate()


def _address_of_tab(port: str) -> str:
    from urllib.request import ProxyHandler, build_opener

    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE) as answer:
        tabs = json.load(answer)
    return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
