import json
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app


def run(*words: str, **options):
    return CliRunner().invoke(app, [str(word) for word in words], **options)


def test_the_version_stands_alone():
    assert run("--version").stdout == f"{version('forecast')}\n"


def test_the_help_names_what_to_type_first():
    assert "To begin: forecast train TSLA" in run("--help").stdout


def listed(result) -> list[str]:
    """Recipes in the JSON document of `runs list`."""
    assert result.exit_code == 0, result.stderr
    return [row["recipe"] for row in json.loads(result.stdout)["runs"]]


def test_shared_options_count_before_and_after_the_command_s_name(stored):
    before = run("--workspace", stored, "--json", "runs", "list")
    after = run("runs", "list", "--workspace", stored, "--json")
    split = run("--json", "runs", "list", "--workspace", stored)
    assert before.stdout == after.stdout == split.stdout
    assert listed(before) == ["returns", "classic"]


def test_of_two_workspaces_the_one_after_the_command_s_name_counts(stored, tmp_path):
    assert listed(run("--workspace", tmp_path, "runs", "list", "--json", "--workspace", stored)) == ["returns", "classic"]


def test_the_workspace_comes_from_the_option_then_the_variable_then_the_folder(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(stored)
    assert listed(run("runs", "list", "--json")) == ["returns", "classic"]
    assert listed(run("runs", "list", "--json", env={"FORECAST_HOME": str(tmp_path)})) == []
    assert listed(run("runs", "list", "--json", "--workspace", stored, env={"FORECAST_HOME": str(tmp_path)})) == ["returns", "classic"]


def test_an_error_is_one_sentence_on_stderr_and_nothing_on_stdout(tmp_path):
    result = run("compare", "TSLA", "--workspace", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("forecast: TSLA has no run") and result.stderr.count("\n") == 1


def test_debug_shows_the_traceback_before_the_sentence(tmp_path):
    result = run("compare", "TSLA", "--debug", "--workspace", tmp_path)
    assert result.exit_code == 1 and result.stdout == ""
    assert "Traceback" in result.stderr and "forecast: TSLA has no run" in result.stderr


def test_a_bad_forecast_toml_ends_with_78(tmp_path):
    (tmp_path / "forecast.toml").write_text("lookbak = 30\n")
    result = run("train", "DEMO", "--workspace", tmp_path)
    assert (result.exit_code, result.stdout) == (78, "")
    assert "lookbak" in result.stderr and not (tmp_path / "models").exists()


def test_an_interruption_ends_with_130(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("forecast.library.compare", interrupt)
    result = run("compare", "--workspace", tmp_path)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.startswith("forecast: Interrupted")


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("forecast.library.compare", fail)
    assert isinstance(run("compare", "--workspace", tmp_path).exception, ZeroDivisionError)


def test_control_characters_of_an_argument_do_not_reach_the_terminal(tmp_path):
    result = run("compare", "\x1b[31mRED", "--workspace", tmp_path)
    assert result.exit_code == 2 and "\x1b" not in result.stderr


@pytest.mark.parametrize("words", [("no-such-command",), ("compare", "--no-such-option"), ("train", "--seed", "-1")])
def test_what_the_command_line_does_not_know_ends_with_2(words):
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
