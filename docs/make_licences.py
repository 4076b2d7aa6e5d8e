"""Writes docs/licences.md: what the tool stands on, and under which licences. Run in the environment of the lock.

    python docs/make_licences.py
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PAGE = Path(__file__).with_name("licences.md")
EXTRAS = ("dask", "report")
INTRODUCTION = """\
# Licences

forecast itself is under the MIT licence. It ships none of the packages below: an installation fetches them, each under
its own licence, as its metadata states it. `docs/make_licences.py` writes this page. The script inside every page of
`forecast report` is plotly.js, under the MIT licence, which is named there.

| package | licence | wanted by |
|---|---|---|
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(format_page(), encoding="utf-8")


def format_page() -> str:
    """The page for the packages that are installed here."""
    wanted = find_dependencies("forecast", EXTRAS)
    rows = [f"| {name} | {licence_of(distribution(name))} | {wanted[name]} |" for name in sorted(wanted)]
    return INTRODUCTION + "\n".join(rows) + "\n"


def find_dependencies(root: str, extras: tuple[str, ...]) -> dict[str, str]:
    """Every installed package that `root` needs, directly or not, and the first package that asks for it."""
    found: dict[str, str] = {}
    waiting = [(root, extras)]
    while waiting:
        parent, chosen = waiting.pop(0)
        for name, wanted_extras in _requirements(distribution(parent), chosen):
            if name not in found and name != root and _is_installed(name):
                found[name] = parent
                waiting.append((name, wanted_extras))
    return found


def licence_of(package: Distribution) -> str:
    """The licence as the metadata has it: an expression, else a classifier, else a line of text, else its file."""
    metadata = package.metadata
    if metadata.get("License-Expression"):
        return metadata.get("License-Expression")
    classifiers = [each for each in metadata.get_all("Classifier", []) if each.startswith("License ::")]
    names = [each.split(" :: ")[-1] for each in classifiers if each.count("::") > 1]
    if names or metadata.get("License"):
        return ", ".join(names) or metadata.get("License").strip().splitlines()[0]
    files = [path.name for path in package.files or () if path.name.upper().startswith(("LICENSE", "LICENCE"))]
    return f"see its {files[0]}" if files else "not stated"


def _requirements(package: Distribution, extras: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Names and extras of what a package needs here and now."""
    from packaging.requirements import Requirement

    wanted = []
    for requirement in map(Requirement, package.requires or []):
        applies = [not requirement.marker or requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)]
        if any(applies):
            wanted.append((_normal(requirement.name), tuple(sorted(requirement.extras))))
    return wanted


def _normal(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
