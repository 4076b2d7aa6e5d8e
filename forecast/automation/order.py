"""What a retraining was asked for, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from forecast.config import Settings


@dataclass(frozen=True)
class Order:
    """What a retraining was asked for.

    Args:
        workspace: folder of data/ and models/.
        settings: what its `forecast.toml` says.
        flags: configuration as typed; None stands for "not given".
        csv: a file, or a folder of TICKER.csv, in place of the champion's source.
        offline: never ask the network.
        force: as if it were due, and with a challenger.
        on_notice: hears what a person should know of the prices.
    """

    workspace: Path
    settings: Settings = Settings()
    flags: dict[str, object] = field(default_factory=dict)
    csv: Path | None = None
    offline: bool = False
    force: bool = False
    on_notice: Callable[[str], None] = lambda sentence: None

    @property
    def models(self) -> Path:
        """Where runs, champions, the ledger and the journal are kept."""
        return self.workspace / "models"
