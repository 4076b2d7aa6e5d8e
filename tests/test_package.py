"""What is delivered: a wheel and an sdist that work where nothing else is, and whose debts are named."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys, setuptools.build_meta as b; print(getattr(b, sys.argv[1])('dist'))"
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "forecast")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds a wheel or an sdist from a copy of the sources, so that nothing is left in them."""
    source = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)

    def run(kind: str) -> Path:
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}
        words = [sys.executable, "-c", BUILD, kind]
        done = subprocess.run(words, cwd=source, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return source / "dist" / done.stdout.splitlines()[-1]

    return run


@pytest.fixture(scope="module")
def wheel(build) -> Path:
    return build("build_wheel")


def test_the_wheel_holds_every_module_and_template_the_mark_of_types_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "forecast"
    own = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert names == {f"forecast/{path.relative_to(package).as_posix()}" for path in own}
    assert "forecast/py.typed" in names


def test_the_sdist_builds_and_holds_what_the_wheel_is_built_from(build):
    with tarfile.open(build("build_sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "forecast/py.typed", "forecast/cli/app.py"} <= names


@pytest.mark.slow
def test_from_the_wheel_alone_the_command_works_in_any_folder(wheel, tmp_path):
    """Into an empty environment with no more than help needs: the rest is a gigabyte."""
    venv.create(tmp_path / "venv", with_pip=True)
    pip = [tmp_path / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--retries", "0"]
    fetched = subprocess.run([*pip, f"typer=={version('typer')}", f"rich=={version('rich')}"], capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"no package index can be reached: {fetched.stderr.strip().splitlines()[-1][:120]}")
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    folder = tmp_path / "any folder"
    folder.mkdir()
    command = [tmp_path / "venv" / "bin" / "forecast", "--help"]
    done = subprocess.run(command, cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "backtest" in done.stdout
    assert not list(folder.iterdir())


def test_the_page_of_licences_is_what_the_installed_packages_say():
    spec = importlib.util.spec_from_file_location("make_licences", ROOT / "docs" / "make_licences.py")
    make_licences = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_licences)
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([\w-]+) \| (.+?) \|", page, flags=re.M))
    installed = make_licences.find_dependencies("forecast", make_licences.EXTRAS)
    for name in installed:  # another platform may want fewer packages than the page has
        assert rows[name] == make_licences.licence_of(make_licences.distribution(name))


def test_every_direct_dependency_stands_on_the_page_of_licences():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dask"], *project["optional-dependencies"]["report"]]
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    for requirement in wanted:
        name = re.match(r"[\w-]+", requirement)[0]
        assert re.search(rf"^\| {re.escape(name)} \| [^|]+ \| forecast \|$", page, flags=re.M), name
