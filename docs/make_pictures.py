"""Draw every picture of docs/how-it-works.md: `python docs/make_pictures.py [TSLA.csv]`; without a file, from Yahoo."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from forecast import library
from forecast.charts import png_from_figure
from forecast.config import make_config
from forecast.explain.cell_pictures import plot_cell, plot_worked_example
from forecast.explain.diagrams import LSTM_DIAGRAM, SIMPLE_RNN_DIAGRAM
from forecast.explain.explanation import explain_run, plot_explanation
from forecast.explain.memory import measure_memory
from forecast.explain.memory_task import fit_memory_task
from forecast.explain.pictures import plot_memory, plot_unrolled
from forecast.explain.worked_example import EXAMPLE_WEIGHTS, unit_step, unroll_unit
from forecast.prices.sources import load_prices
from forecast.store.runs import load_manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parent / "pictures"
DATE = "2026-08-14"  # the window that the text speaks of


def main() -> None:
    """Draw and write them all."""
    csv = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    FOLDER.mkdir(exist_ok=True)
    for name, figure in (*draw_cells(), *draw_memory_task(), *draw_tesla(csv)):
        (FOLDER / f"{name}.png").write_bytes(png_from_figure(figure))
        print(FOLDER / f"{name}.png")


def draw_cells() -> Iterator[tuple[str, Figure]]:
    """Both cells, and the worked example in its picture and over a sequence."""
    yield "simple-rnn-cell", plot_cell(SIMPLE_RNN_DIAGRAM)
    yield "lstm-cell", plot_cell(LSTM_DIAGRAM)
    yield "worked-example", plot_worked_example(EXAMPLE_WEIGHTS, unit_step(EXAMPLE_WEIGHTS, 1.0, 2.0, 1.0))
    yield "worked-example-unrolled", plot_unrolled(unroll_unit(EXAMPLE_WEIGHTS, [0.0, 0.5, 0.25, 1.0], 0.0, 0.0))


def draw_memory_task() -> Iterator[tuple[str, Figure]]:
    """What is left of a gradient after 40 steps of noise."""
    fits = [fit_memory_task(network, seed=1) for network in ("simple_rnn", "lstm")]
    memories = [measure_memory(fit.network, 1, [fit.weights], fit.windows) for fit in fits]
    yield "memory-task", plot_memory(memories, "An answer shown once, 40 steps of noise ago")


def draw_tesla(csv: Path | None) -> Iterator[tuple[str, Figure]]:
    """Tesla's run, opened."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = library.train(["TSLA"], make_config({"networks": ["simple_rnn", "lstm"]}), Path(folder), csv=csv)
        for failure in outcome.failures:
            raise failure.error
        source = load_manifest(outcome.runs[0]).source
        prices = load_prices("TSLA", source=source, folder=Path(folder) / "data", offline=True)
        figures = plot_explanation(explain_run(outcome.runs[0], prices, DATE))
    for name in ("explain-lstm", "explain-memory", "explain-lstm-attribution"):
        yield name.replace("explain", "tesla"), figures[name]


if __name__ == "__main__":
    main()
