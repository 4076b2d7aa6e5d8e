"""How good the default configuration is over many tickers, against GARCH(1,1)-t and yesterday's close.

    python benchmarks/accuracy.py FOLDER [--recipe returns|pooled] [--output FILE]

FOLDER holds one TICKER.csv for each ticker. Prints one table and writes every ticker's figures as JSON. Only the
evaluation fits are made: their test sessions are the last 15 % of each ticker, looked at once, here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from forecast import pipeline
from forecast.config import make_config
from forecast.errors import DataError
from forecast.networks.parallel import fit_networks
from forecast.prices.sources import load_prices, source_from_option

CLAIM_LEVEL = 0.05


def main() -> None:
    """Train, score, print and write."""
    options = parse_options()
    started = time.perf_counter()
    config = make_config({"recipe": options.recipe, "networks": options.networks.split(",")})
    studies = load_studies(options.folder, options.tickers, config)
    tickers = {study.prices.ticker: measure(results, config) for study, results in score(studies, options.workers)}
    summary = {network: summarise(network, tickers) for network in config.networks}
    print_summary(summary, len(tickers), time.perf_counter() - started)
    if options.output:
        document = {"recipe": options.recipe, "summary": summary, "tickers": tickers}
        options.output.write_text(json.dumps(document, indent=1) + "\n")


def parse_options() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="returns")
    parser.add_argument("--networks", default="simple_rnn,lstm")
    parser.add_argument("--tickers", nargs="*", help="only these")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def load_studies(folder: Path, tickers: list[str] | None, config) -> list[pipeline.Study]:
    """A study of every ticker that has enough sessions; says which have not."""
    names = tickers or sorted(path.stem for path in folder.glob("*.csv"))
    with tempfile.TemporaryDirectory() as snapshots:
        prices = [
            load_prices(name, source=source_from_option(name, folder), folder=Path(snapshots)) for name in names
        ]
    cut = pipeline.cutter(prices, config)
    studies = []
    for each in prices:
        try:
            studies.append(cut(each))
        except DataError as error:
            print(f"left out: {error}")
    return studies


def score(studies: list[pipeline.Study], workers: int | None):
    """Results of the evaluation fits, ticker by ticker."""
    pooled = studies[0].config.recipe == "pooled"
    groups = [studies] if pooled else [[study] for study in studies]
    tasks = [[replace(task, everything=()) for task in pipeline.make_tasks(*group)] for group in groups]
    fits = iter(fit_networks([task for own in tasks for task in own], workers))
    for group, own in zip(groups, tasks):
        results = [next(fits) for _ in own]
        for study in group:
            yield study, pipeline.score_test(study, pipeline.make_evaluation(study, results), ())


def measure(results, config) -> dict[str, dict]:
    """Figures of each network: skill against GARCH, RMSE against naive, coverage, Diebold-Mariano tests."""
    metrics, steps = results.metrics, ["1", str(config.horizon)]
    garch, naive = metrics["garch"]["by_horizon"], metrics["naive"]["by_horizon"]
    figures = {}
    for network in config.networks:
        own, findings = metrics[network]["by_horizon"], results.findings["networks"][network]
        figures[network] = {
            "crps_skill": [1.0 - own[k]["crps"] / garch[k]["crps"] for k in steps],
            "rmse_ratio": [own[k]["rmse"] / naive[k]["rmse"] for k in steps],
            "coverage_80": [own[k]["coverage_80"] for k in steps],
            "coverage_95": [own[k]["coverage_95"] for k in steps],
            "ranges": findings["ranges"],
            "price": findings["price"],
        }
    return figures


def summarise(network: str, tickers: dict[str, dict]) -> dict[str, object]:
    """The figures of one network over all tickers; lists hold the first step and the last."""
    rows = [figures[network] for figures in tickers.values()]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name not in ("ranges", "price")}
    errors = {level: columns[f"coverage_{level}"] - level / 100 for level in (80, 95)}
    return {
        "share_below_garch": (columns["crps_skill"] > 0).mean(axis=0).tolist(),
        "mean_crps_skill": columns["crps_skill"].mean(axis=0).tolist(),
        "mean_rmse_ratio": columns["rmse_ratio"].mean(axis=0).tolist(),
        "worst_rmse_ratio": columns["rmse_ratio"].max(axis=0).tolist(),
        **{f"mean_coverage_{level}": columns[f"coverage_{level}"].mean(axis=0).tolist() for level in (80, 95)},
        **{f"worst_coverage_error_{level}": np.abs(errors[level]).max(axis=0).tolist() for level in (80, 95)},
        "dm_better_than_garch": significant(rows, "ranges", -1),
        "dm_worse_than_garch": significant(rows, "ranges", 1),
        "dm_better_than_naive": significant(rows, "price", -1),
        "dm_worse_than_naive": significant(rows, "price", 1),
    }


def significant(rows: list[dict], what: str, sign: int) -> int:
    """Tickers whose loss differs in this direction at 5 %, one test each."""
    found = (row[what]["p_value"] < CLAIM_LEVEL and np.sign(row[what]["change"]) == sign for row in rows)
    return sum(map(bool, found))


def print_summary(summary: dict[str, dict], n_tickers: int, seconds: float) -> None:
    """One row for each figure, one column for each network and step."""
    print(f"{n_tickers} tickers, {seconds:.0f} s; first and last step")
    print(f"{'':28s}" + "".join(f"{network:>20s}" for network in summary))
    for name in next(iter(summary.values())):
        print(f"{name:28s}" + "".join(f"{format_figure(summary[network][name]):>20s}" for network in summary))


def format_figure(value: object) -> str:
    """A count, or a share at the first and the last step."""
    return " ".join(f"{each:.4f}" for each in value) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    main()
