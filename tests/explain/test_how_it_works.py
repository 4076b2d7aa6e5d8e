import re
from pathlib import Path

import pytest

from forecast.explain.diagrams import LSTM_DIAGRAM
from forecast.explain.worked_example import EXAMPLE_WEIGHTS, format_stages, unit_step

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "how-it-works.md").read_text(encoding="utf-8")


def test_every_picture_of_the_page_is_there_and_every_picture_is_on_the_page(page):
    shown = set(re.findall(r"!\[[^]]+\]\((pictures/[^)]+)\)", page))
    assert shown == {f"pictures/{path.name}" for path in (DOCS / "pictures").glob("*.png")}


def test_the_page_works_the_example_as_the_tool_does(page):
    for stage in format_stages(EXAMPLE_WEIGHTS, unit_step(EXAMPLE_WEIGHTS, 1.0, 2.0, 1.0)):
        assert f"| {stage.name} | {stage.arithmetic} | {stage.value:.3f} |" in page


def test_every_equation_of_the_picture_stands_on_the_page(page):
    words = {r"\tilde{C}_t": "C~_t", r"\sigma": "sigmoid", r"\tanh": "tanh", r"\,": " ", "$": ""}
    for equation, _ in LSTM_DIAGRAM.equations:
        for sign, word in words.items():
            equation = equation.replace(sign, word)
        left, right = equation.split(" = ")
        assert re.search(rf"{re.escape(left)} += {re.escape(right)}", page), equation
