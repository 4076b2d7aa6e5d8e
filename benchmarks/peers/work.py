"""The work that every peer does: the windows that everybody cuts, and what is written at the end."""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np

LOOKBACK, UNITS, LAYERS, BATCH = 60, 50, 2, 32
TRAIN, VALIDATION = 0.70, 0.15
CELLS = ("rnn", "lstm")


def parse() -> argparse.Namespace:
    """What the harness asks of a peer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--csv", type=Path, required=True, help="daily prices with the columns Date and Close")
    parser.add_argument("--out", type=Path, required=True, help="folder of models, forecasts and charts")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=0, help="0: as the library likes")
    parser.add_argument("--predict", action="store_true", help="load what was trained, and forecast the next close")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--validate", action="store_true", help="report the validation loss of each epoch too")
    parser.add_argument("--seed", type=int, default=1, help="of those that validate")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def load_closes(path: Path) -> tuple[list[str], np.ndarray]:
    """Dates and closes, oldest first."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["Date"] for row in rows], np.array([row["Close"] for row in rows], dtype=float)


def scale(closes: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Closes in [0, 1] by the training part's lowest and highest, and those two; shape (n_sessions, 1)."""
    low, high = closes[: int(TRAIN * len(closes))].min(), closes[: int(TRAIN * len(closes))].max()
    return ((closes - low) / (high - low)).astype("float32")[:, None], low, high


def cut(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X (n_windows, lookback, 1) and the close after each window, y (n_windows, 1)."""
    x = np.lib.stride_tricks.sliding_window_view(scaled[:, 0], LOOKBACK)[:-1, :, None]
    return np.ascontiguousarray(x), scaled[LOOKBACK:]


def n_train(scaled: np.ndarray) -> int:
    """Windows of the training part."""
    return int(TRAIN * len(scaled)) - LOOKBACK


def validation_part(scaled: np.ndarray) -> slice:
    """Windows of the validation part, right after those of the training part."""
    return slice(n_train(scaled), n_train(scaled) + int(VALIDATION * len(scaled)))


class Clock:
    """Seconds of each epoch: on the wall, and of the processor."""

    def __init__(self) -> None:
        self.wall, self.cpu = [time.perf_counter()], [time.process_time()]

    def tick(self) -> None:
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def seconds(self) -> dict[str, list[float]]:
        return {"wall": np.diff(self.wall).round(4).tolist(), "cpu": np.diff(self.cpu).round(4).tolist()}

    def validated(self, losses: list[float]) -> dict[str, object]:
        """The same, with the validation loss of each epoch, and when the first one began: all processes share this clock."""
        return {**self.seconds(), "began": self.wall[0], "validation": losses}


def store(out: Path, cell: str, y_true: np.ndarray, y_pred: np.ndarray, losses: list[float]) -> None:
    """Forecasts as CSV, and the two charts that every tutorial draws."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    np.savetxt(out / f"{cell}.csv", np.column_stack([y_true, y_pred]), delimiter=",", header="true,predicted")
    for name, lines in {"predictions": (y_true, y_pred), "loss": (losses,)}.items():
        figure, axes = plt.subplots(figsize=(12, 5))
        for line in lines:
            axes.plot(line)
        figure.savefig(out / f"{cell}-{name}.png")
        plt.close(figure)


def report(epochs: dict[str, dict]) -> None:
    """The last line of a peer's output is what the harness reads."""
    print(json.dumps({"epochs": epochs}))
