"""What a table of daily prices is, and what is known of the listing it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Listing:
    """What is known of an instrument besides its prices.

    Args:
        exchange: name of an exchange_calendars calendar ("XNYS", "XHKG", "24/7", "24/5"),
            or "weekdays" where no calendar is known.
        currency: ISO code, or None where the source does not say.
        timezone: IANA name of the exchange's time zone.
        name: long name, as the source gives it: untrusted text.
    """

    exchange: str = "XNYS"
    currency: str | None = None
    timezone: str = "America/New_York"
    name: str | None = None


@dataclass(frozen=True, eq=False)     # one is equal to itself alone, so that what is made of it can be kept
class Prices:
    """Daily prices of one ticker, oldest first, adjusted for splits and, where known, dividends.

    Args:
        ticker: checked symbol, upper case.
        sessions: trading days, shape (n_sessions,), datetime64[D], strictly ascending.
        open, high, low, close: prices [currency], shape (n_sessions,), float64. `close` is finite
            and positive; the other three are NaN throughout where the source has closes only.
        volume: units traded, shape (n_sessions,); NaN where unknown.
        source: where they come from: "yahoo", "demo" or "csv:/absolute/path".
        listing: exchange, currency, time zone.
        snapshot: sha256 of the snapshot's content; what a run remembers.
        simulated: True for DEMO alone.
        notices: sentences a person should read (rows dropped, an unfinished bar, stale prices).
    """

    ticker: str
    sessions: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    source: str
    listing: Listing = field(default_factory=Listing)
    snapshot: str = ""
    simulated: bool = False
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sessions)

    def until(self, cutoff: np.datetime64 | str) -> Prices:
        """The same prices without anything after `cutoff` (inclusive)."""
        return self.rows(self.sessions <= np.datetime64(cutoff, "D"))

    def rows(self, kept: np.ndarray | slice) -> Prices:
        """The rows that a mask, an index array or a slice chooses."""
        columns = ("sessions", "open", "high", "low", "close", "volume")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})


@dataclass(frozen=True)
class Quotes:
    """Daily prices as a source gave them, before dividends are taken out of them.

    Args:
        sessions: trading days, shape (n_sessions,), datetime64[D].
        open, high, low, close: prices [currency], shape (n_sessions,), float64; NaN where absent.
        adj_close: close adjusted for dividends too; NaN throughout where the source has none.
        volume: units traded, shape (n_sessions,); NaN where unknown.
        dividends: paid to who held the share before this session [currency]; NaN where unknown.
        splits: new shares for one old from this session on, 0 for no split; NaN where unknown.
    """

    sessions: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    adj_close: np.ndarray
    volume: np.ndarray
    dividends: np.ndarray
    splits: np.ndarray

    @classmethod
    def of(cls, sessions: np.ndarray, **columns: np.ndarray) -> Quotes:
        """Quotes of the columns that a source has; the others are NaN throughout."""
        unknown = np.full(len(sessions), np.nan)
        return cls(sessions, *(columns.get(name, unknown) for name in QUOTE_COLUMNS[1:]))

    def __len__(self) -> int:
        return len(self.sessions)

    def rows(self, kept: np.ndarray) -> Quotes:
        """The rows that a mask or an index array chooses."""
        return Quotes(*(getattr(self, column)[kept] for column in QUOTE_COLUMNS))

    def adjusted_close(self) -> np.ndarray:
        """Adjusted close where the source has one, else its close, shape (n_sessions,)."""
        return self.close if np.isnan(self.adj_close).all() else self.adj_close


QUOTE_COLUMNS = tuple(Quotes.__dataclass_fields__)  # "sessions", "open", ...


def prices_from_quotes(quotes: Quotes, **identity) -> Prices:
    """Prices with every column adjusted by the factor that turns close into adjusted close.

    Args:
        quotes: accepted rows, oldest first.
        identity: the other fields of `Prices`: ticker, source, listing, snapshot, ...
    """
    close = quotes.adjusted_close()
    factor = close / quotes.close  # (n_sessions,)
    return Prices(
        sessions=quotes.sessions,
        open=quotes.open * factor,
        high=quotes.high * factor,
        low=quotes.low * factor,
        close=close,
        volume=quotes.volume / _split_part(factor),
        **identity,
    )


def _split_part(factor: np.ndarray) -> np.ndarray:
    """The part of an adjustment that splits made, shape (n_sessions,), 1 at the end.

    Dividends change prices alone; a split changes the number of shares too. A step of more than
    a quarter between two sessions is taken for a split.
    """
    steps = factor[1:] / factor[:-1]
    splits = np.where(np.abs(np.log(steps)) > np.log(1.25), steps, 1.0)
    return np.append(1.0 / np.cumprod(splits[::-1])[::-1], 1.0)
