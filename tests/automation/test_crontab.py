import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecast.automation.crontab import (
    EVERY_DAY,
    WEEKDAYS,
    find_block,
    format_block,
    format_job,
    load_crontab,
    save_crontab,
    table_with_block,
    table_without_block,
)
from forecast.automation.command import retrain_command
from forecast.errors import ConfigError, ForecastError, TryAgainLater

HOME = Path("/home/me/my stocks")
OTHER = Path("/home/me/other")
BLOCK = format_block(retrain_command(HOME), HOME)
BLOCK_OF_OTHER = format_block(retrain_command(OTHER), OTHER)

lines = st.one_of(
    st.binary(max_size=30).filter(lambda line: not line.startswith(b"# >>> forecast")),
    st.sampled_from(
        [
            b"MAILTO=me@example.org",
            b"CRON_TZ=Asia/Tokyo\r",
            b"0 7 * * 1-5 tar cf - ~ | (cat %% > x)",
            b"# <<< forecast",
            b"# <<< forecast '/home/me/my stocks'",
            b"# >>> forecasting",
            b"# The table above did not end with a newline.",
            BLOCK_OF_OTHER.rstrip(b"\n"),
            b"",
        ]
    ),
)
tables = st.builds(lambda parts, end: b"\n".join(parts) + end, st.lists(lines), st.sampled_from([b"", b"\n"]))


# --- the block within the table


@given(tables)
@example(b"")
@example(b"\n")
@example(b"* * * * * no newline")
def test_install_and_remove_give_the_same_table(table):
    installed = table_with_block(table, BLOCK)
    assert find_block(installed, HOME) is not None
    assert table_without_block(installed, b" '/home/me/my stocks'") == table


@given(tables)
def test_installing_twice_changes_nothing(table):
    installed = table_with_block(table, BLOCK)
    assert table_with_block(installed, BLOCK) == installed


@given(tables)
def test_every_foreign_byte_stands_before_the_block(table):
    installed = table_with_block(table, BLOCK)
    assert installed.startswith(table)
    assert installed.endswith(BLOCK.split(b"\n", 1)[1])


@given(tables, tables)
def test_lines_added_below_the_block_stay_lines_of_their_own(above, below):
    table = table_with_block(above, BLOCK) + below
    rest = table_without_block(table, b" '/home/me/my stocks'")
    seam = b"" if not above or above.endswith(b"\n") or not below else b"\n"
    assert rest == above + seam + below


def test_new_block_replaces_the_former_one():
    table = table_with_block(b"0 7 * * * backup\n", BLOCK)
    changed = format_block(retrain_command(HOME, ["TSLA"]), HOME)
    assert table_with_block(table, changed) == b"0 7 * * * backup\n" + changed


def test_blocks_of_two_workspaces_stand_side_by_side():
    table = table_with_block(table_with_block(b"", BLOCK), BLOCK_OF_OTHER)
    assert find_block(table, HOME) == BLOCK and find_block(table, OTHER) == BLOCK_OF_OTHER
    assert table_without_block(table) == b""


@pytest.mark.parametrize("left", [1, 2])
def test_block_that_is_never_closed_is_not_guessed_at(left):
    table = b"a\n" + b"\n".join(BLOCK.split(b"\n")[:left]) + b"\n0 7 * * * backup\n"
    for attempt in (table_without_block, lambda table: table_with_block(table, BLOCK)):
        with pytest.raises(ConfigError, match="Line 2 of the crontab"):
            attempt(table)


def test_block_saved_by_an_editor_with_carriage_returns_is_found():
    assert table_without_block(b"a\n" + BLOCK.replace(b"\n", b"\r\n")) == b"a\n"


def test_block_sets_no_variable_for_the_lines_of_others():
    (opening, job, closing) = BLOCK.decode().splitlines()
    assert opening.startswith("#") and closing.startswith("#")
    assert job.startswith(WEEKDAYS + " /")
    assert all(field[0] in "0123456789*" for times in (WEEKDAYS, EVERY_DAY) for field in times.split())


# --- the command within the line


def undo_vixie(job: str) -> str:
    """What cron's do_command.c hands to the shell: backslashes escape `%` and, in some, `\\`."""
    return job.replace("\\\\", "\0").replace("\\%", "%").replace("\0", "\\")


def undo_cronie(job: str) -> str:
    """The same where only `%` can be escaped, read from left to right."""
    given, out = iter(job), []
    for letter in given:
        after = next(given, "") if letter == "\\" else ""
        out.append(after if after == "%" else letter + after)
    return "".join(out)


def bare_percent_signs(job: str) -> list[int]:
    """Where a cron would cut the line: an escaped character never counts."""
    bare, escaped = [], False
    for position, letter in enumerate(job):
        if letter == "%" and not escaped:
            bare.append(position)
        escaped = letter == "\\" and not escaped
    return bare


words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
nasty = st.text(st.sampled_from("\\%'\" $a"), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(words | nasty, min_size=1, max_size=4))
def test_shell_gets_every_word_as_it_was(arguments):
    job = format_job(["printf", "%s\\n", *arguments])
    assert bare_percent_signs(job) == []
    for undo in (undo_vixie, undo_cronie):
        done = subprocess.run(["/bin/sh", "-c", undo(job)], capture_output=True, check=True)
        assert done.stdout.decode() == "".join(f"{word}\n" for word in arguments)


def test_scheduled_line_runs_in_a_folder_with_blanks_percent_signs_and_quotes(tmp_path):
    folder = tmp_path / """100 % "mine" & 'yours' $HOME \\% `x`"""
    folder.mkdir()
    python, said = folder / "python", tmp_path / "said"
    python.write_text(f"""#!/bin/sh\nprintf '%s\\n' "$0" "$@" > {said}\n""")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    command = retrain_command(folder, ["TSLA", "^GSPC"], python=python)
    _, line, _ = format_block(command, folder).decode().splitlines()
    job = line.split(" ", 5)[5]
    subprocess.run(["/bin/sh", "-c", undo_cronie(job)], check=True, cwd="/", env={"PATH": "/usr/bin:/bin"})
    flags = ["-P", "-m", "forecast", "retrain", "--workspace", str(folder), "TSLA", "^GSPC", "--quiet"]
    assert said.read_text().splitlines() == [str(python), *flags]


@pytest.mark.parametrize("letter", ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\udcff"])
def test_control_characters_are_refused(letter):
    with pytest.raises(ConfigError, match="cannot be scheduled"):
        retrain_command(Path(f"/home/me/a{letter}* * * * * rm"))
    with pytest.raises(ConfigError, match="cannot be scheduled"):
        format_block(["true"], Path(f"/home/a{letter}b"))


# --- the crontab program


FAKE = """#!/bin/sh
# A cron table kept in the file $0.table; refuses a table with the word INVALID.
case "$1" in
  -l) if [ -e "$0.table" ]; then cat "$0.table"; else echo "no crontab for me" >&2; exit 1; fi;;
  -h) echo "{usage}" >&2;;
  {option}) if grep -q INVALID "$2"; then echo "bad minute" >&2; exit 1; fi; echo checked >> "$0.log";;
  *) cp "$1" "$0.table"; {after} echo installed >> "$0.log";;
esac
"""


def make_crontab(folder: Path, usage="dry run", option="-n", after="") -> str:
    folder.mkdir(exist_ok=True)
    program = folder / "crontab"
    program.write_text(FAKE.format(usage=usage, option=option, after=after))
    program.chmod(0o755)
    return str(program)


def test_absent_table_is_empty_and_no_error(tmp_path):
    assert load_crontab(make_crontab(tmp_path)) == b""


def test_table_is_checked_backed_up_installed_and_read_back(tmp_path):
    program = make_crontab(tmp_path)
    table = b"0 7 * * * backup \xff\r\n"
    save_crontab(b"", table, tmp_path / "first.backup", program)
    save_crontab(table, table_with_block(table, BLOCK), tmp_path / "second.backup", program)
    assert load_crontab(program) == table + BLOCK
    assert (tmp_path / "second.backup").read_bytes() == table
    assert stat.S_IMODE(os.stat(tmp_path / "second.backup").st_mode) == 0o600
    assert (tmp_path / "crontab.log").read_text().split() == ["checked", "installed"] * 2


@pytest.mark.parametrize(
    ("usage", "option", "log"),
    [
        ("-T <file>  test a crontab file syntax, -n <host> set host", "-T", "checked installed"),
        ("usage: crontab [-c DIR] [-u USER] [-ler]|[FILE]", "-n", "installed"),
    ],
)
def test_check_asks_for_what_this_cron_understands(tmp_path, usage, option, log):
    program = make_crontab(tmp_path, usage, option)
    save_crontab(b"", BLOCK, tmp_path / "backup", program)
    assert (tmp_path / "crontab.log").read_text().split() == log.split()


def test_refused_table_leaves_the_former_one(tmp_path):
    program = make_crontab(tmp_path)
    save_crontab(b"", b"good\n", tmp_path / "1", program)
    with pytest.raises(ForecastError, match="nothing was changed: bad minute"):
        save_crontab(b"good\n", b"INVALID\n", tmp_path / "2", program)
    assert load_crontab(program) == b"good\n"


def test_table_that_somebody_else_changed_meanwhile_is_left_alone(tmp_path):
    program = make_crontab(tmp_path)
    save_crontab(b"", b"theirs\n", tmp_path / "1", program)
    with pytest.raises(TryAgainLater, match="Somebody else"):
        save_crontab(b"", BLOCK, tmp_path / "2", program)
    assert load_crontab(program) == b"theirs\n"


def test_cron_that_keeps_something_else_is_found_out(tmp_path):
    program = make_crontab(tmp_path, after='echo "# DO NOT EDIT" >> "$0.table";')
    with pytest.raises(ForecastError, match="keeps another table"):
        save_crontab(b"", BLOCK, tmp_path / "backup", program)


def test_absent_program_and_forbidden_user_are_explained(tmp_path):
    with pytest.raises(ForecastError, match="Install cron, or use --systemd"):
        load_crontab(str(tmp_path / "crontab"))
    forbidden = tmp_path / "forbidden"
    forbidden.write_text("#!/bin/sh\necho 'You (me) are not allowed to use this program' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    with pytest.raises(ForecastError, match="not allowed to use this program"):
        load_crontab(str(forbidden))
