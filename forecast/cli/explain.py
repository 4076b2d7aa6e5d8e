"""`forecast explain`: the cell opened, on a stored run, on paper, or on a task that only memory solves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import complete_ticker
from forecast.cli.shared import Shared, command
from forecast.cli.tables import print_json, print_table, print_text
from forecast.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from forecast.explain.explanation import Explanation
    from forecast.explain.memory import Memory
    from forecast.explain.worked_example import UnitStep, UnitWeights

LAGS = (10, 20, 40)  # sessions at which the memory's table says what is left


def _of_run(kind: type, flag: str, help: str):
    """An option that belongs to a ticker."""
    return Annotated[kind | None, typer.Option(flag, help=help, rich_help_panel="A ticker's run")]


def _of_example(kind: type, flag: str, help: str, **more):
    """An option that belongs to the worked example."""
    return Annotated[kind | None, typer.Option(flag, help=help, rich_help_panel="The worked example", **more)]


def _gate(flag: str, default: str):
    """Three weights of the worked example."""
    help = f"Its weights: short-term memory, input, bias. Default: {default}."
    return _of_example(str, flag, help, metavar="W,W,B")


Ticker = Annotated[
    str | None, typer.Argument(help="A ticker that has a stored run.", autocompletion=complete_ticker)
]
Date = _of_run(str, "--date", "Last session of the window, as 2024-03-28. Default: the last of the prices.")
Step = _of_run(int, "--step", "Which of the sessions ahead. Default: 1.")
RunId = _of_run(str, "--run", "Which run. Default: the champion.")
WorkedExample = Annotated[bool, typer.Option("--worked-example", help="One LSTM unit, stage by stage; needs no data.")]
MemoryTask = Annotated[
    bool, typer.Option("--memory-task", help="Train both cells, in seconds, on a task that needs a memory of 40 steps.")
]
Inputs = _of_example(str, "--inputs", "A sequence, such as 0,0.5,0.25,1. Default: 1.")
LongTerm = _of_example(float, "--long-term", "Long-term memory before. Default: 2; 0 with --inputs.")
ShortTerm = _of_example(float, "--short-term", "Short-term memory before. Default: 1; 0 with --inputs.")
ForgetGate = _gate("--forget-gate", "2.70,1.63,1.62")
InputGate = _gate("--input-gate", "2.00,1.65,0.62")
Candidate = _gate("--candidate", "1.41,0.94,-0.32")
OutputGate = _gate("--output-gate", "4.38,-0.19,0.59")


@command
def explain(
    shared: Shared,
    ticker: Ticker = None,
    date: Date = None,
    step: Step = None,
    run: RunId = None,
    worked_example: WorkedExample = False,
    memory_task: MemoryTask = False,
    inputs: Inputs = None,
    long_term: LongTerm = None,
    short_term: ShortTerm = None,
    forget_gate: ForgetGate = None,
    input_gate: InputGate = None,
    candidate: Candidate = None,
    output_gate: OutputGate = None,
) -> None:
    """Open the cell: gates, memory and gradients of SimpleRNN and LSTM, and what moved a forecast."""
    gates = {"forget": forget_gate, "input": input_gate, "candidate": candidate, "output": output_gate}
    example = (inputs, long_term, short_term, *gates.values())
    wanted = {
        "a ticker": any(value is not None for value in (ticker, date, step, run)),
        "--worked-example": worked_example or any(value is not None for value in example),
        "--memory-task": memory_task,
    }
    chosen = [name for name, is_wanted in wanted.items() if is_wanted]
    if chosen == ["--worked-example"]:
        explain_example(shared, gates, inputs, long_term, short_term)
    elif chosen == ["--memory-task"]:
        explain_memory_task(shared)
    elif chosen == ["a ticker"] and ticker is not None:
        explain_ticker(shared, ticker, date, 1 if step is None else step, run)
    else:
        raise UsageError("Say what to explain: a ticker (forecast explain TSLA), --worked-example or --memory-task.")


def explain_ticker(shared: Shared, ticker: str, date: str | None, step: int, run_id: str | None) -> None:
    """Gates, memory and attribution of a stored run, over the window that led to a date."""
    from forecast import library
    from forecast.explain.explanation import dict_from_explanation, explain_run, plot_explanation
    from forecast.prices.sources import load_prices
    from forecast.store.runs import load_manifest

    run = library.find(ticker, run_id, shared.folder)
    manifest = load_manifest(run)
    prices = load_prices(manifest.ticker, source=manifest.source, folder=shared.data_folder, offline=shared.offline)
    for notice in prices.notices:
        shared.notice(notice)
    explanation = explain_run(run, prices, date, step)
    for network, parts in explanation.attributions.items():
        for name, part in parts.items():
            if not part.is_complete:
                shared.notice(f"{network}: the shares of the {name} miss their sum by {100 * part.gap:.2g} %.")
    charts = save_charts(run.parent, plot_explanation(explanation))
    if shared.json:
        print_json(dict_from_explanation(explanation) | {"charts": charts})
        return
    print_gates(explanation)
    print_memories(explanation.memories, "sessions", explanation.title)
    print_attributions(explanation)
    print_text("\n".join(charts))


def explain_example(
    shared: Shared,
    gates: Mapping[str, str | None],
    inputs: str | None,
    long_term: float | None,
    short_term: float | None,
) -> None:
    """One LSTM unit on paper: every stage of one step, or the same unit over a sequence of inputs."""
    from dataclasses import asdict

    from forecast.explain import worked_example as example
    from forecast.explain.cell_pictures import plot_worked_example
    from forecast.explain.pictures import plot_unrolled

    weights = weights_from_options(gates)
    values = [example.EXAMPLE_INPUT] if inputs is None else numbers_from_text("--inputs", inputs)
    before = (example.EXAMPLE_LONG_TERM, example.EXAMPLE_SHORT_TERM) if inputs is None else (0.0, 0.0)
    long_term, short_term = (start if own is None else own for own, start in zip((long_term, short_term), before))
    steps = example.unroll_unit(weights, values, long_term, short_term)
    figures = {"worked-example": plot_worked_example(weights, steps[-1])}
    if len(steps) > 1:
        figures["worked-example-unrolled"] = plot_unrolled(steps)
    charts = save_charts(shared.models_folder, figures)
    if shared.json:
        print_json({"schema": 1, "weights": asdict(weights), "steps": [asdict(s) for s in steps], "charts": charts})
        return
    print_steps(weights, steps)
    print_text("\n".join(charts))


def explain_memory_task(shared: Shared) -> None:
    """Both cells on the same task: what is left of a gradient after 40 steps, and who solves it."""
    from forecast.explain.explanation import dict_from_memory
    from forecast.explain.memory import measure_memory
    from forecast.explain.memory_task import LAG, fit_memory_task
    from forecast.explain.pictures import plot_memory

    shared.notice("Training SimpleRNN and LSTM on the task takes some seconds.")
    fits = [fit_memory_task(network, 1 if shared.seed is None else shared.seed) for network in ("simple_rnn", "lstm")]
    memories = {fit.network: measure_memory(fit.network, 1, [fit.weights], fit.windows) for fit in fits}
    title = f"An answer shown once, {LAG} steps of noise ago"
    charts = save_charts(shared.models_folder, {"memory-task": plot_memory(list(memories.values()), title)})
    if shared.json:
        networks = {f.network: {"error": f.error, "memory": dict_from_memory(memories[f.network])} for f in fits}
        print_json({"schema": 1, "lag": LAG, "networks": networks, "charts": charts})
        return
    print_memories(memories, "steps", title, {fit.network: f"{fit.error:.3f}" for fit in fits})
    print_text("\n".join(charts))


def weights_from_options(gates: Mapping[str, str | None]) -> UnitWeights:
    """The example's weights, with the gates that were given in their place.

    Raises:
        UsageError: a gate that is not three numbers.
    """
    from dataclasses import replace

    from forecast.explain.worked_example import EXAMPLE_WEIGHTS, GateWeights

    own = {}
    for name, text in gates.items():
        if text is not None:
            option = f"--{name}" if name == "candidate" else f"--{name}-gate"
            numbers = numbers_from_text(option, text)
            if len(numbers) != 3:
                raise UsageError(f"{option} {text} is {len(numbers)} numbers; it takes 3: short-term, input, bias.")
            own[name] = GateWeights(*numbers)
    return replace(EXAMPLE_WEIGHTS, **own)


def numbers_from_text(option: str, text: str) -> list[float]:
    """Comma-separated numbers.

    Raises:
        UsageError: something else.
    """
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}. Write numbers and commas, such as 0,0.5,0.25,1.") from error


def save_charts(folder: Path, figures: Mapping[str, Figure]) -> list[str]:
    """Write each figure as a PNG under its name; their paths."""
    from forecast.charts import png_from_figure
    from forecast.library import check_writable
    from forecast.prices.snapshots import write_whole

    paths = [check_writable(folder) / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        write_whole(path, png_from_figure(figure))
    return [str(path) for path in paths]


def print_gates(explanation: Explanation) -> None:
    """Mean and range of every gate of every gated network, and the session that opened the input gate widest."""
    from forecast.charts import NAMES

    rows = []
    for network, record in explanation.records.items():
        for name, values in record.panels.items():
            if name.endswith("gate"):
                widest = values.mean(axis=1).argmax()
                figures = [f"{figure:.3f}" for figure in (values.mean(), values.min(), values.max())]
                rows.append([f"{NAMES[network]}, {name}", *figures, str(explanation.sessions[widest])])
    if rows:
        print_table(f"{explanation.title}: gates", ["", "mean", "least", "most", "open widest on"], rows)


def print_memories(
    memories: Mapping[str, Memory], unit: str, title: str, errors: Mapping[str, str] | None = None
) -> None:
    """How much of the strongest gradient is left at some lags, the half-life, and what the gate implies."""
    from forecast.charts import NAMES

    columns = ["", "half-\nlife", *(f"left at\n{lag} [%]" for lag in LAGS), "gate f", "1/(1-f)"]
    rows = []
    for network, memory in memories.items():
        half_life = f">{len(memory.norms) - 1}" if memory.half_life is None else f"{memory.half_life:.1f}"
        left = [_percent(memory.left_at(lag)) if lag < len(memory.norms) else "-" for lag in LAGS]
        gate = ["-", "-"] if memory.keeping is None else [f"{memory.keeping:.3f}", f"{memory.kept_for:.1f}"]
        rows.append([NAMES[network], half_life, *left, *gate, *([errors[network]] if errors else [])])
    caption = (
        f"Half-life and 1/(1-f) in {unit}; f is the mean forget gate (GRU: update gate). "
        "Left: the norm of d h_T / d x_(T-k) at lag k as a share of its largest."
    )
    print_table(f"{title}: memory", [*columns, *(["squared\nerror"] if errors else [])], rows, caption)


def _percent(share: float) -> str:
    """A share in percent, two digits however small."""
    return f"{100 * share:.0f}" if share >= 0.095 else f"{100 * share:.2g}"


def print_attributions(explanation: Explanation) -> None:
    """What each feature contributed, summed over the window; a column adds up to its network's answer."""
    from forecast.charts import NAMES

    networks = explanation.attributions
    columns = ["", *(NAMES[network] for network in networks)]
    for name in next(iter(networks.values())):
        parts = [own[name] for own in networks.values()]
        rows = [["the baseline", *(f"{part.baseline_output:+.3f}" for part in parts)]]
        for number, feature in enumerate(explanation.manifest.config.features):
            rows.append([feature.replace("_", " "), *(f"{part.shares[:, number].sum():+.3f}" for part in parts)])
        rows.append(["the answer", *(f"{part.output:+.3f}" for part in parts)])
        caption = f"Integrated gradients; a column misses its sum by {100 * max(p.gap for p in parts):.2g} % at most."
        print_table(f"{explanation.title}: what moved {explanation.ahead}, {name}", columns, rows, caption)


def print_steps(weights: UnitWeights, steps: list[UnitStep]) -> None:
    """Every stage of a single step, or a row for each of several."""
    from forecast.explain.worked_example import format_stages

    if len(steps) == 1:
        rows = [[stage.name, stage.arithmetic, f"{stage.value:.3f}"] for stage in format_stages(weights, steps[0])]
        print_table("One LSTM unit, stage by stage", ["stage", "arithmetic", "value"], rows)
        return
    names = ("x", "forget", "input", "candidate", "long_term", "output", "short_term")
    rows = [[str(n), *(f"{getattr(step, name):.3f}" for name in names)] for n, step in enumerate(steps, 1)]
    gates = ["forget\ngate", "input\ngate", "candidate", "long-term\nmemory", "output\ngate", "short-term\nmemory"]
    print_table("One LSTM unit over a sequence", ["step", "input", *gates], rows)
