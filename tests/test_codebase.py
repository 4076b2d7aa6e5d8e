"""The shape of the code itself: layers, lightness, words."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import forecast

PACKAGE = Path(forecast.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Top to bottom, as data flows: a module imports only from layers above its own.
LAYERS = (
    ("errors",),
    ("config",),
    ("prices",),
    ("windows",),
    ("networks",),
    ("evaluation",),
    ("store",),
    ("pipeline",),
    ("charts",),
    ("audit", "explain"),
    ("library",),
    ("walk_forward", "prediction", "scoring"),
    ("api", "report"),
    ("automation",),
    ("cli",),
    ("__main__",),
)
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib", "yfinance", "statsmodels", "arch", "exchange_calendars", "distributed", "plotly", "jinja2"}
PICKLES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
# Sends a task to a worker that it started, over its own pipe, as multiprocessing itself does; never to a file.
SPEAKS_TO_ITS_WORKERS = "automation.executors"


def layer_of(name: str) -> int:
    """Number of the layer that `forecast.<name>...` belongs to."""
    top = name.split(".")[0]
    layers = [number for number, names in enumerate(LAYERS) if top in names]
    assert layers, f"LAYERS does not say where forecast.{top} belongs"
    return layers[0]


def name_of(path: Path) -> str:
    """Dotted name below the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(tree: ast.AST) -> list[str]:
    """Dotted names of everything that a piece of code imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def outside_functions(tree: ast.Module) -> ast.Module:
    """What runs, or is imported, when the module is; what only type checkers see is left out."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        def visit_If(self, node):
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    return Strip().visit(tree)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


modules = pytest.mark.parametrize("path", MODULES, ids=[name_of(path) or "forecast" for path in MODULES])


@modules
def test_a_module_imports_only_from_layers_above_its_own(path):
    own = name_of(path)
    if not own:
        return
    for name in imported(parse(path)):
        if name.startswith("forecast."):
            other = name.removeprefix("forecast.")
            same_package = other.split(".")[0] == own.split(".")[0]
            assert same_package or layer_of(other) < layer_of(own), f"{own} imports {other}"


@modules
def test_nothing_heavy_is_imported_with_a_module(path):
    assert not {name.split(".")[0] for name in imported(outside_functions(parse(path)))} & HEAVY


@modules
def test_nothing_is_pickled(path):
    assert name_of(path) == SPEAKS_TO_ITS_WORKERS or not {name.split(".")[0] for name in imported(parse(path))} & PICKLES
    assert "allow_pickle=True" not in path.read_text(encoding="utf-8")


@modules
def test_a_module_says_in_its_first_line_what_it_knows(path):
    docstring = ast.get_docstring(parse(path))
    assert docstring and docstring.splitlines()[0].strip()


@modules
def test_every_public_function_and_class_says_what_it_gives_back(path):
    silent = []
    for node in [parse(path), *(n for n in parse(path).body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]:
        for child in node.body:
            public = isinstance(child, (ast.FunctionDef, ast.ClassDef)) and not child.name.startswith("_")
            if public and not ast.get_docstring(child):
                silent.append(child.name)
    assert not silent


@modules
def test_user_input_is_not_asserted(path):
    assert not [node.lineno for node in ast.walk(parse(path)) if isinstance(node, ast.Assert)]


def swallows(path: Path) -> int:
    """How often a module catches a whole `ForecastError`, alone or among others, and does not raise it again."""
    handlers = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ExceptHandler) and node.type]
    whole = [each for each in handlers if "ForecastError" in {n.id for n in ast.walk(each.type) if isinstance(n, ast.Name)}]
    return sum(not any(isinstance(node, ast.Raise) for node in ast.walk(each)) for each in whole)


def test_errors_end_in_one_place_of_the_command_line():
    """Below it an error ends only where one ticker's failure, or one finding, must not stop the others."""
    one_of_several = {"library": 1, "scoring": 1, "automation.retraining": 1, "cli.doctor": 2, "cli.options": 1}
    assert {name_of(path): swallows(path) for path in MODULES if swallows(path)} == {"cli.shared": 1, **one_of_several}


def test_typer_and_rich_live_in_the_command_line_only():
    users = {name_of(path) for path in MODULES if {"typer", "rich"} & {n.split(".")[0] for n in imported(parse(path))}}
    assert users and all(name.startswith("cli") for name in users)


def commands():
    """Every command and group with its words, such as ("runs", "list")."""
    from forecast.cli.app import app

    def walk(command, words):
        yield words, command
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*words, name))

    return list(walk(typer.main.get_command(app), ()))


@pytest.mark.parametrize(("words", "command"), commands(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_every_command_and_option_has_help(words, command):
    assert command.help and command.help.strip()
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


@pytest.mark.parametrize(
    "words", [("--help",), ("train", "--help"), ("runs", "list"), ("runs", "list", "--json")], ids=" ".join
)
def test_what_does_not_train_loads_nothing_heavy(words, environment):
    code = (
        "import sys\nfrom forecast.cli import main\n"
        f"sys.argv = ['forecast', *{words!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "[]")


def test_a_command_brings_no_other_command_with_it(environment):
    code = (
        "import sys\nfrom forecast.cli import main\nsys.argv = ['forecast', 'runs', 'list', '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "from forecast.cli.app import COMMANDS\n"
        "print([name for name in COMMANDS if f'forecast.cli.{name}' in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "['runs']"


def test_tests_have_the_folders_of_the_package():
    tests = PACKAGE.parent / "tests"
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert folders <= {path.name for path in tests.iterdir() if path.is_dir()}


def test_no_file_knows_the_machine_it_was_written_on():
    """No absolute path of a home or a work folder in what is delivered."""
    own = os.fspath(PACKAGE.parent)
    text = [path for path in MODULES if own in path.read_text(encoding="utf-8")]
    assert not text
