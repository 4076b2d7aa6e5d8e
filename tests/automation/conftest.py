"""A workspace whose price file can be made to grow, session by session."""

from pathlib import Path

import pytest

from forecast.automation.order import Order
from forecast.config import Settings

DRAWN = {"networks": ("simple_rnn",), "n_seeds": 1, "units": 2, "lookback": 20, "horizon": 2}


class PriceFile:
    """A person's own price file with real prices, and the retraining of it.

    Args:
        folder: the workspace.
        real: where the prices come from.
        n_sessions: how many of the last ones of `real` there are.
    """

    def __init__(self, folder: Path, real: Path, n_sessions: int = 420):
        self.folder, self.csv = folder, folder / "csv"
        self.csv.mkdir()
        self.ticker = real.stem
        header, *rows = real.read_text().splitlines()
        self._header, self._rows = header, rows[-n_sessions:]

    def order(self, **more) -> Order:
        """A retraining of this workspace, with small networks."""
        settings = Settings(values=DRAWN, retrain_every=5, gate=40)
        return Order(self.folder, settings, csv=self.csv, **more)

    def grow(self, n_hidden: int) -> str:
        """Write the file without its last `n_hidden` sessions, and give back the last one that is there."""
        shown = self._rows[: len(self._rows) - n_hidden]
        (self.csv / f"{self.ticker}.csv").write_text("\n".join([self._header, *shown]) + "\n")
        return shown[-1].split(",")[0]


@pytest.fixture
def price_file(tmp_path, real_prices_folder) -> PriceFile:
    """Four hundred sessions of KO, the last twenty of them not known yet."""
    file = PriceFile(tmp_path, real_prices_folder / "daily" / "KO.csv")
    file.grow(20)
    return file
