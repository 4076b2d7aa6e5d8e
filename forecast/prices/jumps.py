"""Whether a jump of the price is a change of unit, a split that nobody took out, or a crash."""

from __future__ import annotations

import numpy as np

from forecast.prices.table import Quotes

OPENING_TOLERANCE = 0.10  # log distance of the opening price from a split ratio
SPLIT_TOLERANCE = 0.15  # and of the close: the market moves on that day too, TSLA's by 12.6 %
SMALLEST_SPLIT = 1.45  # 3:2 is the smallest that stands out from a bad day
# A split's day trades at most this many times its usual volume; a crash by a third or a half trades
# more, one by two thirds far more.
ORDINARY_VOLUME, ORDINARY_VOLUME_OF_LARGE = 2.75, 6.0
NEIGHBOURS = 20  # sessions on either side that tell the usual volume
_SPLITS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100, 1000])
_UNITS = np.array([100.0, 1000.0])  # pence and pounds, cents and dollars


def is_unit_change(quotes: Quotes, t: int, factor: float) -> bool:
    """Whether prices jump by 100 or 1000 while trading goes on as before."""
    distance = np.abs(np.abs(np.log(factor)) - np.log(_UNITS)).min()
    busy, _ = _volume_change(quotes, t)
    return bool(distance < 0.3 and not busy > 5.0)


def split_ratio(quotes: Quotes, t: int, factor: float) -> str | None:
    """The split that explains a jump of the close at row `t`, such as "5:1"; None if none does.

    A split shows in four ways, a crash never in all of them: the factor is near a ratio, the
    opening price has it already, the day's turnover is ordinary, and the number of shares traded
    stays changed by the inverse factor. Where volume is unknown, a factor of 3 or more is enough.

    Args:
        factor: close at `t` over the close before it.
    """
    opening = float(quotes.open[t] / quotes.close[t - 1])
    opening = factor if np.isnan(opening) else opening  # the night moves less than the day does
    distances = np.abs(np.log(_SPLITS) - np.abs(np.log(opening)))
    nearest = float(_SPLITS[np.argmin(distances)])
    opened = distances.min() < OPENING_TOLERANCE and (opening < 1.0) == (factor < 1.0)
    near = abs(np.log(nearest) - abs(np.log(factor))) < SPLIT_TOLERANCE
    if not near or not opened or (factor > 1.0 and nearest < 2.0):
        return None
    name = f"{nearest:g}:1" if nearest != 1.5 else "3:2"
    name = name if factor < 1.0 else ":".join(reversed(name.split(":")))
    busy, lasting = _volume_change(quotes, t)
    if np.isnan(busy) or np.isnan(lasting):
        return name if nearest >= 3.0 else None
    large = nearest >= 3.0 or factor > 1.0
    ordinary = busy * factor < (ORDINARY_VOLUME_OF_LARGE if large else ORDINARY_VOLUME)
    slack = 0.5 if busy * factor < 2.0 else 0.0  # on a quiet day, volume may drift by itself
    follows = abs(np.log(lasting * factor)) < abs(np.log(lasting)) + slack
    return name if ordinary and follows else None


def _volume_change(quotes: Quotes, t: int) -> tuple[float, float]:
    """Volume of a session, and the usual volume after it, over the usual before it; NaN if unknown."""
    before = quotes.volume[max(0, t - NEIGHBOURS) : t]
    after = quotes.volume[t + 1 : t + 1 + NEIGHBOURS]
    before, after = (volume[volume > 0] for volume in (before, after))
    if not len(before) or not quotes.volume[t] > 0:
        return np.nan, np.nan
    usual = float(np.median(before))
    lasting = float(np.median(after)) if len(after) else float(quotes.volume[t])
    return float(quotes.volume[t]) / usual, lasting / usual
