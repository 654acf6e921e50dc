import platform
import subprocess
from pathlib import Path

import pytest

from harness import machine
from harness.machine import describe_machine, harness_version


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


def git(directory: Path, *words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    command = ["git", "-C", str(directory), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_checkout_and_tells_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "harness"
    package.mkdir()
    module = package / "machine.py"
    module.write_text("1\n")
    monkeypatch.setattr(machine, "__file__", str(module))
    assert describe_machine().commit is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert describe_machine().commit == commit
    module.write_text("2\n")
    assert describe_machine().commit == f"{commit}+"


def test_a_copy_in_somebody_elses_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "venv" / "harness"
    package.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(machine, "__file__", str(package / "machine.py"))
    assert describe_machine().commit is None


def test_programs_and_packages_that_are_missing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(machine, "_PACKAGES", ("no-such-package",))
    found = describe_machine()
    assert found.versions == {}
    assert found.commit is None
