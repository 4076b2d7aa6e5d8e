"""`forecast doctor`: whether everything that the tool stands on is there, and what to do where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from forecast.cli.shared import Shared, command
from forecast.cli.tables import print_json, print_pairs
from forecast.errors import ForecastError

SCHEMA = 1
SOMETHING_BROKEN = 1
YAHOO = "https://query2.finance.yahoo.com/"
NETWORK_TIMEOUT = 4.0       # [s]
TENSORFLOW_TIMEOUT = 180.0  # [s]
SLOW_START = 8.0            # [s] compiled it takes three to four, on a slow disk somewhat more
SMALLEST_DISK = 500         # [MB] a year of nightly runs of ten tickers
MEGABYTE = 1e6
CRON_DAEMONS = ("cron", "crond", "busybox")
OK, NOTE, BROKEN = "ok", "note", "BROKEN"
PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "matplotlib", "yfinance", "arch", "typer")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        name: of what was checked.
        state: OK; NOTE where something can be done without; BROKEN where nothing works before it is mended.
        found: the facts.
        advice: what to do; None where nothing is to be done.
    """

    name: str
    state: str
    found: str
    advice: str | None = None


@command
def doctor(shared: Shared) -> None:
    """Check versions, workspace, settings, network, cron, cores, TensorFlow and disk; say what to do.

    Exit code 1 when something is broken that training needs; a note is about what one can do without.
    """
    findings = [check(shared) for check in CHECKS]
    if shared.json:
        print_json({"schema": SCHEMA, "checks": [asdict(finding) for finding in findings]})
    else:
        print_pairs([(f"{each.state:<6}  {each.name}", _with_advice(each)) for each in findings])
    if any(finding.state == BROKEN for finding in findings):
        sys.exit(SOMETHING_BROKEN)


def check_versions(shared: Shared) -> Finding:
    """Python and the packages that decide what comes out."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found, missing = [f"Python {platform.python_version()}"], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("versions", BROKEN, f"{', '.join(missing)} missing", "Install forecast again: pip install .")
    return Finding("versions", OK, ", ".join(found))


def check_workspace(shared: Shared) -> Finding:
    """A file can be written where data/ and models/ belong."""
    folder = _nearest_folder(shared.folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("workspace", OK, f"{shared.folder} can be written")
    except OSError as error:
        advice = "Name another --workspace, or set FORECAST_HOME."
        return Finding("workspace", BROKEN, f"{shared.folder} cannot be written: {error.strerror}", advice)


def check_settings(shared: Shared) -> Finding:
    """forecast.toml, where there is one, says what can be done."""
    path = shared.folder / "forecast.toml"
    try:
        watchlist = ", ".join(shared.settings.watchlist)
    except ForecastError as error:
        return Finding("settings", BROKEN, str(error), f"Edit {path}.")
    if not path.exists():
        return Finding("settings", OK, "no forecast.toml: defaults, no watchlist", "To write one: forecast init")
    return Finding("settings", OK, f"{path}, watchlist {watchlist or 'empty'}")


def check_disk(shared: Shared) -> Finding:
    """Runs and snapshots have room."""
    import shutil

    free = shutil.disk_usage(_nearest_folder(shared.folder)).free / MEGABYTE
    if free < SMALLEST_DISK:
        advice = "Delete old runs (forecast runs prune), or name another --workspace."
        return Finding("disk", BROKEN, f"{free:,.0f} MB free, of at least {SMALLEST_DISK}", advice)
    return Finding("disk", OK, f"{free:,.0f} MB free")


def check_tensorflow(shared: Shared) -> Finding:
    """Keras starts, in a process of its own: a processor it was not built for would end this one."""
    code = "from forecast.networks.backend import import_keras; import_keras()"
    started = time.monotonic()
    try:
        done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, timeout=TENSORFLOW_TIMEOUT)
    except subprocess.TimeoutExpired:
        return Finding("TensorFlow", BROKEN, f"not started after {TENSORFLOW_TIMEOUT:.0f} s", "Try on an idle machine.")
    seconds = time.monotonic() - started
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        return Finding("TensorFlow", BROKEN, f"does not start: {said[-1]}", "pip install --force-reinstall tensorflow")
    if seconds > SLOW_START:
        return Finding("TensorFlow", NOTE, f"starts in {seconds:.1f} s, for every training", _advice_for_slow_start())
    return Finding("TensorFlow", OK, f"starts in {seconds:.1f} s; only training asks for it")


def check_cores(shared: Shared) -> Finding:
    """How many trainings go side by side."""
    n_cores = len(os.sched_getaffinity(0))
    return Finding("cores", OK, f"{n_cores}: as many trainings go side by side")


def check_network(shared: Shared) -> Finding:
    """Yahoo answers, whatever it answers."""
    import urllib.request
    from http.client import HTTPException
    from urllib.error import HTTPError

    without = "Without it: forecast train DEMO, or --csv with your own files. A proxy is taken from HTTPS_PROXY."
    if shared.offline:
        return Finding("network", NOTE, "not asked, because of --offline")
    request = urllib.request.Request(YAHOO, method="HEAD", headers={"User-Agent": "Mozilla/5.0"})
    started = time.monotonic()
    try:
        urllib.request.build_opener().open(request, timeout=NETWORK_TIMEOUT).close()
    except HTTPError:
        pass  # an answer, although not to this question
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return Finding("network", NOTE, f"Yahoo cannot be reached: {reason}", without)
    return Finding("network", OK, f"Yahoo answers in {time.monotonic() - started:.1f} s")


def check_cron(shared: Shared) -> Finding:
    """Cron's table can be read, and its daemon runs where that can be seen."""
    from forecast.automation.schedule import show_cron

    try:
        scheduled = show_cron(shared.folder.resolve())
    except ForecastError as error:
        return Finding("cron", NOTE, str(error), "Until then nothing is retrained by night. On Debian: apt install cron")
    if _is_running(CRON_DAEMONS) is False:
        return Finding("cron", NOTE, "installed, but not running", "Start it: sudo service cron start")
    if not scheduled:
        return Finding("cron", OK, "nothing is scheduled for this workspace", "To schedule: forecast schedule install")
    return Finding("cron", OK, "this workspace is retrained")


def check_report(shared: Shared) -> Finding:
    """The packages of `forecast report` are there."""
    from importlib.util import find_spec

    missing = [name for name in ("plotly", "jinja2") if find_spec(name) is None]
    if missing:
        return Finding("report", NOTE, f"{' and '.join(missing)} missing", "pip install 'forecast[report]'")
    return Finding("report", OK, "plotly and jinja2 are installed")


CHECKS: tuple[Callable[[Shared], Finding], ...] = (
    check_versions,
    check_workspace,
    check_settings,
    check_disk,
    check_tensorflow,
    check_cores,
    check_network,
    check_cron,
    check_report,
)


def _advice_for_slow_start() -> str:
    """Uncompiled modules cost seconds at every start; otherwise the machine is slow, or busy."""
    from importlib.util import find_spec

    tensorflow = find_spec("tensorflow")
    if tensorflow.cached and Path(tensorflow.cached).exists():
        return "Three to four are usual: ask again when the machine is idle."
    return f"Compile what is installed: {sys.executable} -m compileall -q {Path(tensorflow.origin).parents[1]}"


def _with_advice(finding: Finding) -> str:
    return finding.found if finding.advice is None else f"{finding.found}\n-> {finding.advice}"


def _nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _is_running(names: tuple[str, ...]) -> bool | None:
    """Whether a process has one of these names; None where the system does not show them."""
    commands = list(Path("/proc").glob("[0-9]*/comm"))
    if not commands:
        return None
    return any(_read(command).strip() in names for command in commands)


def _read(path: Path) -> str:
    """The text of a file that may vanish meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""
