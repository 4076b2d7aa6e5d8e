"""`forecast schedule`: retraining from cron or systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Tickers
from forecast.cli.shared import Shared, command
from forecast.cli.tables import plain, print_json

if TYPE_CHECKING:
    from forecast.automation.schedule import Change

SCHEMA = 1
app = typer.Typer(add_completion=False, no_args_is_help=True, help="Retraining from cron or systemd: install, show, remove.")

Systemd = Annotated[bool, typer.Option("--systemd", help="A timer of the user's systemd, instead of cron.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]
EveryDay = Annotated[bool, typer.Option("--every-day", help="Also on Saturdays and Sundays, as for crypto.")]


@app.command()
@command
def install(
    shared: Shared,
    tickers: Tickers = None,
    systemd: Systemd = False,
    every_day: EveryDay = False,
    dry_run: DryRun = False,
) -> None:
    """Run `forecast retrain` often; it decides itself whether anything is due. No ticker: the watchlist."""
    from forecast.automation.command import retrain_command
    from forecast.automation.schedule import plan_cron, plan_systemd
    from forecast.library import check_tickers

    symbols = check_tickers(tickers or shared.settings.watchlist)
    workspace = shared.folder.resolve()
    # The watchlist is not copied: what it says later counts then.
    words = retrain_command(workspace, symbols if tickers else ())
    plan = plan_systemd if systemd else plan_cron
    _carry_out(shared, plan(workspace, words, every_day=every_day), dry_run)


@app.command()
@command
def show(shared: Shared, systemd: Systemd = False) -> None:
    """Show what is scheduled for this workspace."""
    from forecast.automation.schedule import show_cron, show_systemd

    workspace = shared.folder.resolve()
    scheduled = (show_systemd if systemd else show_cron)(workspace)
    if shared.json:
        print_json({"schema": SCHEMA, "workspace": str(workspace), "scheduled": scheduled or None})
    elif scheduled:
        print(plain(scheduled), end="")
    else:
        shared.notice(f"Nothing is scheduled for {workspace}. Type: forecast schedule install")


@app.command()
@command
def remove(shared: Shared, systemd: Systemd = False, dry_run: DryRun = False) -> None:
    """Take this workspace's schedule out again, and nothing else."""
    from forecast.automation.schedule import plan_cron, plan_systemd

    plan = plan_systemd if systemd else plan_cron
    _carry_out(shared, plan(shared.folder.resolve(), None), dry_run)


def _carry_out(shared: Shared, change: Change, dry_run: bool) -> None:
    """Make the change, unless it is not needed or only to be shown, and print it as a diff."""
    if change.is_needed and not dry_run:
        change.apply()
    if shared.json:
        print_json({"schema": SCHEMA, "changed": change.is_needed and not dry_run, "diff": change.diff})
    elif change.is_needed:
        print(plain(change.diff))
    else:
        shared.notice("Nothing to change.")
