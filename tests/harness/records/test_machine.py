import importlib.util
import platform
import subprocess
from pathlib import Path

import pytest

from harness.records import machine
from harness.records.machine import describe_machine, harness_version
from tests.needs import needs

needs_git = needs("git", "git")


@pytest.fixture
def no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty directory that is all of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_this_machine_is_described() -> None:
    found = describe_machine()
    assert found.kernel == f"Linux {platform.release()}"
    assert found.cores >= 1
    assert found.memory_bytes > 2**20
    assert found.python.endswith(platform.python_version())
    assert {"aiohttp", "redis", "uvloop"} <= set(found.versions)
    assert "open_files" in found.limits
    assert found.cpu_model
    assert harness_version()


def test_settings_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "sys" / "net" / "core").mkdir(parents=True)
    (tmp_path / "sys" / "net" / "core" / "somaxconn").write_text("4096\n")
    assert describe_machine(tmp_path).sysctls == {"net.core.somaxconn": "4096"}


def test_a_machine_without_cpuinfo_has_the_name_of_its_architecture(tmp_path: Path) -> None:
    found = describe_machine(tmp_path)
    assert found.cpu_model == platform.machine()
    assert found.sysctls == {}


@pytest.mark.usefixtures("no_path")
def test_the_packaged_redis_is_part_of_a_result() -> None:
    assert describe_machine().versions["valkey-server"].startswith("9.")


def test_a_redis_on_the_path_is_part_of_a_result_instead(no_path: Path) -> None:
    program = no_path / "redis-server"
    program.write_text("#!/bin/sh\necho Redis server v=7.0.15 sha=00000000:0\n")
    program.chmod(0o755)
    versions = describe_machine().versions
    assert versions["redis-server"] == "7.0.15"
    assert "valkey-server" not in versions


def git(directory: Path, *words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    command = ["git", "-C", str(directory), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@needs_git
def test_the_commit_is_that_of_the_checkout_and_tells_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "harness" / "records"
    package.mkdir(parents=True)
    module = package / "machine.py"
    module.write_text("1\n")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "page.md").write_text("none yet")
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)
    assert describe_machine().commit is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert describe_machine().commit == commit
    (tmp_path / "reports" / "page.md").write_text("made of results")
    assert describe_machine().commit == commit
    module.write_text("2\n")
    assert describe_machine().commit == f"{commit}+"


@needs_git
def test_a_copy_in_somebody_elses_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "venv" / "harness" / "records"
    package.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(machine, "CHECKOUT", package.parents[1])
    assert describe_machine().commit is None


def test_programs_and_packages_that_are_missing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(machine, "_PACKAGES", ("no-such-package",))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = describe_machine()
    assert found.versions == {}
    assert found.commit is None
