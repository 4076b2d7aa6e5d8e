"""What `costs.json` holds, as the Markdown tables of `docs/performance.md`."""

from __future__ import annotations

NAMES = {
    "forecast": "**forecast**", "keras": "the tutorial in stock Keras", "torch": "plain PyTorch loop",
    "simple_rnn": "SimpleRNN", "lstm": "LSTM",
}  # fmt: skip
WHAT = {
    "commands": "A fresh process",
    "loss": "To a validation loss",
    "shape": "An epoch by its shape",
    "tickers": "By the number of tickers",
}


def format_tables(document: dict) -> str:
    """A table for each part that was measured, with the machine that it was measured on."""
    makers = {"commands": commands_table, "loss": loss_table, "shape": shape_table, "tickers": tickers_table}
    return "\n\n".join(f"{origin(document[part], WHAT[part])}\n\n{makers[part](document[part])}" for part in document)


def origin(part: dict, what: str) -> str:
    machine, load = part["machine"], part["load_average"][0]
    return f"{what}: {part['date']}, {machine['cores']} cores of {machine['processor']}, load average {load:.1f} at the end"


def table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def commands_table(part: dict) -> str:
    rows = [
        [f"`{name}`", f"{spent['wall']:.2f}", f"{spent['cpu']:.2f}", f"{spent['peak_mb']:.0f}"]
        for name, spent in part["medians"].items()
    ]
    header = [f"median of {part['rounds']}", "[s]", "processor [s]", "peak memory [MB]"]
    return table(header, [*rows, ["`train`, all its processes", "", "", f"{part['train_peak_mb']}"]])


def loss_table(part: dict) -> str:
    def cell(seconds: float | None) -> str:
        return f"not in {part['epochs']} epochs" if seconds is None else f"{seconds:.1f}"

    rows = [[NAMES[name], cell(reached["rnn"]), cell(reached["lstm"])] for name, reached in part["reached"].items()]
    return table([f"from the start to {part['loss']} [s]", "SimpleRNN", "LSTM"], rows)


def shape_table(part: dict) -> str:
    """One row a shape, one column a network; the line in the lookback last."""
    networks = list(part["lines"])
    default = part["cases"][0]["shape"]
    shapes = [case["shape"] for case in part["cases"] if case["network"] == networks[0]]
    seconds = {(case["network"], *case["shape"].values()): case["seconds"] for case in part["cases"]}

    def row(shape: dict) -> list[str]:
        changed = ", ".join(f"{axis} {value}" for axis, value in shape.items() if value != default[axis])
        cells = []
        for network in networks:
            own, base = seconds[network, *shape.values()], seconds[network, *default.values()]
            cells.append(f"{own:.3f} ({own / base:.2f})")
        return [changed or ", ".join(f"{axis} {value}" for axis, value in default.items()), *cells]

    lines = [f"{100 * part['lines'][network]['off']:.0f} %" for network in networks]
    header = ["processor seconds of an epoch (times the first)", *(NAMES[network] for network in networks)]
    return table(header, [*map(row, shapes), ["farthest from a line in lookback", *lines]])


def tickers_table(part: dict) -> str:
    """Seconds a ticker, and what they are without what a command costs once."""
    fixed, each, off = ({kind: line[what] for kind, line in part["lines"].items()} for what in ("fixed", "each", "off"))
    rows = [
        [
            str(number),
            *(f"{spent[kind] / int(number):.2f}" for kind in ("wall", "cpu")),
            f"{(spent['cpu'] - fixed['cpu']) / int(number):.2f}",
            f"{spent['peak_mb']:.0f}",
        ]
        for number, spent in part["medians"].items()
    ]
    line = (
        f"\n\nOne command costs {fixed['cpu']:.1f} processor seconds and {each['cpu']:.2f} a ticker"
        f" (within {100 * off['cpu']:.0f} %); {fixed['wall']:.1f} s and {each['wall']:.2f} s a ticker on the clock"
        f" (within {100 * off['wall']:.0f} %)."
    )
    header = ["tickers", "a ticker [s]", "a ticker [processor s]", "the same without the command's own", "peak memory [MB]"]
    return table(header, rows) + line
