"""The README and the pages in docs/ do what they say."""

import re
import shlex

import pytest
import typer

from forecast.cli.app import app
from forecast.config import load_settings
from tests.pages import PAGES, README, ROOT, blocks_of, commands_of

def parse(command: str) -> None:
    """Let the command line read a command as it would, without running it; Typer raises where it cannot."""
    group, words = typer.main.get_command(app), shlex.split(command)[1:]
    context = group.make_context("forecast", words)
    while hasattr(group, "commands"):
        name, group, words = group.resolve_command(context, [*context._protected_args, *context.args])
        context = group.make_context(name, words, parent=context)


COMMANDS = {command for page in PAGES for command in commands_of(page) if command.startswith("forecast ")}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_command_line_reads_every_command_of_the_pages(command):
    parse(command)


def test_every_command_stands_in_the_readme():
    readme = README.read_text(encoding="utf-8")
    assert [name for name in typer.main.get_command(app).commands if f"    forecast {name}" not in readme] == []


def test_the_settings_of_the_readme_are_read(tmp_path):
    [settings] = [block for block in blocks_of(README) if block.startswith("watchlist = ")]
    (tmp_path / "forecast.toml").write_text(settings)
    assert load_settings(tmp_path).watchlist == ("TSLA", "AAPL")


def test_every_link_of_the_pages_leads_to_a_file():
    for page in PAGES:
        for target in re.findall(r"(?<!!)\[[^]]+\]\((?!http|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_code_of_the_library_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_HOME", raising=False)
    names: dict[str, object] = {}
    code = "\n".join(blocks_of(ROOT / "docs" / "library.md"))
    exec(compile(code, "docs/library.md", "exec"), names)
    assert {"run", "comparison", "outlook", "walk"} <= set(names)
    assert (tmp_path / "predictions.png").read_bytes().startswith(b"\x89PNG")
    assert "Type: forecast train TSLA" in capsys.readouterr().out
