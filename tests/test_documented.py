"""The pages in docs/ do what they say."""

import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def code_of(page: str) -> str:
    """The indented blocks of a page, one after the other."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", (DOCS / page).read_text(encoding="utf-8"), flags=re.M)
    return "\n".join(textwrap.dedent(block) for block in blocks)


def test_the_code_of_the_library_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_HOME", raising=False)
    names: dict[str, object] = {}
    exec(compile(code_of("library.md"), "docs/library.md", "exec"), names)
    assert {"run", "comparison", "outlook", "walk"} <= set(names)
    assert (tmp_path / "predictions.png").read_bytes().startswith(b"\x89PNG")
    assert "Type: forecast train TSLA" in capsys.readouterr().out
