"""What a ticker may look like, and the name of the folder that keeps what belongs to it."""

import re
from urllib.parse import quote, unquote

from forecast.errors import UsageError

# Everything that Yahoo lists, and nothing that means something to a path, a URL or a shell.
_TICKER = re.compile(r"(?!.*\.\.)[A-Z0-9^][A-Z0-9.^=&_-]{0,23}\Z")


def check_ticker(text: str) -> str:
    """The ticker in upper case, safe to put into a path or a URL.

    Args:
        text: what a person typed, such as "tsla", "^GSPC", "BRK-B", "EURUSD=X", "0700.HK".

    Raises:
        UsageError: if it has other characters, more than 24 of them, or two dots in a row.
    """
    ticker = text.upper()
    if not text.isascii() or not _TICKER.match(ticker):
        raise UsageError(
            f"{text[:40]!r} is not a ticker: 1 to 24 letters, digits and . ^ = & _ - are allowed, "
            "beginning with a letter, a digit or ^, and without two dots in a row. "
            "Write it as finance.yahoo.com does: TSLA, BRK-B, ^GSPC, EURUSD=X, 0700.HK."
        )
    return ticker


def folder_from_ticker(ticker: str) -> str:
    """The folder's name for a ticker: itself, percent-encoded where a file system might mind."""
    return quote(check_ticker(ticker), safe="")


def ticker_from_folder(name: str) -> str:
    """The ticker that a folder's name stands for; inverse of `folder_from_ticker`."""
    return check_ticker(unquote(name))
