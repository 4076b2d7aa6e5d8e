import itertools
import re

import pytest

from forecast.cli.tables import print_table

COLUMNS = ["", "MAE\n[USD]", "last session", "RMSE"]
ROWS = [["SimpleRNN", "**0.3611**", "2026-08-14", "0.4857"], ["naive", "0.3619 ", "2026-08-14", "0.4861"]]


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a table looks like in a terminal of some columns."""

    def print_in(width: int, **more: object) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        print_table("A title", COLUMNS, ROWS, **more)
        return capsys.readouterr().out

    return print_in


@pytest.mark.parametrize("width", range(20, 90))
def test_no_figure_is_ever_cut_and_no_line_is_longer_than_the_terminal(printed, width):
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text and "SimpleRNN" in text
    assert set(re.findall(r"[\d.]{6,}", text)) <= {"0.3611", "0.3619", "0.4857", "0.4861"}


def test_columns_go_in_the_stated_order_and_the_caption_says_so(printed):
    left_out = []
    for width in range(60, 15, -1):
        said = " ".join(printed(width, dropped=(2, 1)).split()).partition("no room here for: ")[2]
        left_out.append({name for name in ("MAE [USD]", "last session", "RMSE") if name in said})
    steps = [names for names, _ in itertools.groupby(left_out)]
    assert steps == [set(), {"last session"}, {"last session", "MAE [USD]"}, {"last session", "MAE [USD]", "RMSE"}]


def test_headings_break_before_columns_go(printed):
    assert "last session" in printed(41) and "no room" not in printed(38)
    assert "last session" not in printed(38)
