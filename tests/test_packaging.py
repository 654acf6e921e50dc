"""What is pinned can be installed on the oldest and on the newest Python, and a server needs no more than it says."""

import ast
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:])
}
PYTHONS = [
    classifier.rpartition(" ")[2]
    for classifier in PROJECT["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]


EVERYTHING = "matchstream-lab[dev]"


def needed(python: str, wanting: str = EVERYTHING) -> dict[str, list[Requirement]]:
    """Return by name all that a requirement leads to on a Python, as far as that is installed here."""
    environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    found: dict[str, list[Requirement]] = {}
    wanted = [Requirement(wanting)]
    followed = set()
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        found.setdefault(name, []).append(one)
        if (name, *one.extras) in followed:
            continue
        followed.add((name, *one.extras))
        try:
            requires = metadata.requires(one.name) or []
        except metadata.PackageNotFoundError:  # it is for another Python than this one
            continue
        for requirement in map(Requirement, requires):
            marker = requirement.marker
            environments = [environment | {"extra": extra} for extra in (one.extras or {""})]
            if marker is None or any(marker.evaluate(each) for each in environments):
                wanted.append(requirement)
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_is_needed_is_pinned_to_what_is_wanted(python: str) -> None:
    for name, requirements in needed(python).items():
        if name == "matchstream-lab":
            continue
        assert name in PINS, f"{name} is not pinned"
        for requirement in requirements:
            assert requirement.specifier.contains(PINS[name], prereleases=True), f"{name}=={PINS[name]}: {requirement}"


@pytest.mark.parametrize("python", PYTHONS)
def test_every_pin_installs_on_every_python_that_is_named(python: str) -> None:
    for name, version in PINS.items():
        try:
            pinned = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # it is for another Python than this one
            continue
        assert pinned["Version"] == version, f"{name} is not the version that is pinned"
        wants = SpecifierSet(pinned.get("Requires-Python", ""))
        assert wants.contains(f"{python}.0"), f"{name}=={version} wants Python {wants}"


def imported(package: str) -> set[str]:
    """Return the packages of others that are imported anywhere in one of ours."""
    found = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
    names = {name.partition(".")[0] for name in found}
    return names - sys.stdlib_module_names - {"common", "harness", "stages"}


@pytest.mark.parametrize(
    ("wanting", "packages"),
    [("matchstream-lab", ("common", "stages")), ("matchstream-lab[report,cluster,peers]", ("harness",))],
)
def test_all_that_is_imported_comes_with_what_is_asked_for(wanting: str, packages: tuple[str, ...]) -> None:
    there = needed(".".join(map(str, sys.version_info[:2])), wanting)
    comes_from = metadata.packages_distributions()
    for name in set().union(*map(imported, packages)):
        assert {canonicalize_name(one) for one in comes_from[name]} & there.keys(), name


def test_everything_is_all_there_is() -> None:
    extras = PROJECT["optional-dependencies"]
    (all_of_ours,) = (one for one in map(Requirement, extras["dev"]) if one.name == PROJECT["name"])
    assert all_of_ours.extras == extras.keys() - {"dev"}


def test_without_what_it_needs_the_harness_says_what_to_install() -> None:
    command = [sys.executable, "-S", "-m", "harness", "demo"]  # -S: no packages of others
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "harness: typer is not installed: pip install 'matchstream-lab[harness]'\n"


def test_the_pythons_that_are_named_are_those_that_may_install_it() -> None:
    may = SpecifierSet(PROJECT["requires-python"])
    assert PYTHONS == ["3.11", "3.12", "3.13", "3.14"]
    assert all(may.contains(f"{python}.0") for python in PYTHONS)
    assert not may.contains("3.10.99")
