import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.tuning.sysctl import profile_names
from harness.cli import main
from tests.common.tuning.kernel import PROFILE, SHORT, TUNED, UNTUNED, enter_namespace, make_kernel, values


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_kernel(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "small.toml"
    file.write_text(PROFILE)
    return str(file)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "kept.json"


def test_check_shows_what_is_short_and_why(small: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "check", small, "--root", str(root)]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = printed.out.splitlines()[: len(SHORT) * 3]  # the reasons follow
    (row,) = (line for line in rows if line.lstrip().startswith("net.core.somaxconn "))
    assert all(part in row for part in ("128", "at least 1024", "4096", "network namespace"))
    (mem,) = (line for line in rows if line.lstrip().startswith("net.ipv4.tcp_mem "))
    assert all(part in mem for part in ("46000 62000 92000", "at least 104857 157286 209715", "whole machine"))
    assert "small: A small server" in printed.out
    assert "Bounds C." in printed.out
    assert "Source: listen(2)." in printed.out
    assert f"SHORT: {', '.join(SHORT)}" in printed.out
    assert f"sudo harness tune apply {small}" in printed.out
    assert "cannot be read here" in printed.out
    assert values(root) == UNTUNED


def test_check_of_a_tuned_machine(small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_kernel(tmp_path / "tuned", TUNED)
    assert main(["tune", "check", small, "--root", str(root)]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("MET, but for what cannot be read here: net.netfilter.nf_conntrack_max\n")
    assert "SHORT" not in printed
    make_kernel(tmp_path / "tuned", {**TUNED, "net.netfilter.nf_conntrack_max": "1000"})
    assert main(["tune", "check", small, "--root", str(root)]) == 0
    assert capsys.readouterr().out.endswith("\nMET\n")


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_nothing_is_cut_off_where_the_screen_is_narrow(
    columns: str, small: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    main(["tune", "check", small, "--root", str(root)])
    assert "…" not in capsys.readouterr().out


@pytest.mark.parametrize("name", profile_names())
def test_the_projects_profiles_are_checked_by_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "check", name]) in {0, 1}
    assert f"{name}: " in capsys.readouterr().out


def test_apply_and_restore_say_what_they_did(
    small: str, root: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--state", str(state), "--root", str(root)]
    assert main(["tune", "apply", small, *where]) == 0
    said = capsys.readouterr().out
    assert "net.core.somaxconn: 128 -> 1024 (network namespace)\n" in said
    assert "net.ipv4.tcp_mem: 46000 62000 92000 -> 104857 157286 209715 (whole machine)\n" in said
    assert "these belong to the whole machine, and everything that runs on it has them: net.ipv4.tcp_mem\n" in said
    assert "left alone, cannot be read here: net.netfilter.nf_conntrack_max\n" in said
    assert f"(in {state}): sudo harness tune restore --state {state}\n" in said
    assert values(root) == TUNED

    assert main(["tune", "apply", small, *where]) == 0
    assert capsys.readouterr().out.endswith("nothing had to be changed\n")

    assert main(["tune", "restore", *where]) == 0
    assert "net.ipv4.ip_local_port_range = 32768 60999\n" in capsys.readouterr().out
    assert values(root) == UNTUNED
    assert not state.exists()


@pytest.mark.slow
def test_what_was_there_is_kept_in_the_users_state(small: str, root: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "xdg")}
    kept = tmp_path / "xdg" / "matchstream" / "sysctl.json"
    for words, there in (("apply", small), True), (("restore",), False):
        command = [sys.executable, "-m", "harness.cli", "tune", *words, "--root", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert kept.exists() is there
    assert values(root) == UNTUNED


def test_a_user_without_a_home_names_the_state(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_entry(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for variable in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["tune", "restore"]) == 2
    assert capsys.readouterr().err == (
        "harness: this user has no home directory: set HOME or XDG_STATE_HOME, or give --state\n"
    )


def test_what_may_not_be_changed_here_is_status_1(
    small: str, root: Path, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def open_(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).name == "tcp_mem":
            raise PermissionError(13, "Permission denied")
        return really_open(path, flags, mode)

    monkeypatch.setattr(os, "open", open_)
    assert main(["tune", "apply", small, "--state", str(state), "--root", str(root)]) == 1
    assert "still short, cannot be changed here: net.ipv4.tcp_mem\n" in capsys.readouterr().out


def test_after_a_reboot_and_where_a_setting_is_gone(
    small: str, root: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--state", str(state), "--root", str(root)]
    main(["tune", "apply", small, *where])
    (root / "net" / "core" / "somaxconn").unlink()
    assert main(["tune", "restore", *where]) == 0
    assert "no longer there, so not put back: net.core.somaxconn\n" in capsys.readouterr().out
    main(["tune", "apply", small, *where])
    (root / "kernel" / "random" / "boot_id").write_text("another\n")
    assert main(["tune", "restore", *where]) == 0
    assert "the machine was booted since" in capsys.readouterr().out


def test_bad_input_is_one_line_and_status_2(
    small: str, root: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--state", str(state), "--root", str(root)]
    main(["tune", "apply", small, *where])
    enter_namespace(root.parent, "net:[2]")
    capsys.readouterr()
    for words, says in (
        (["check", "sever"], "no such profile; give the path of one, or one of: generator, million, server"),
        (["check", "./none.toml"], "cannot be read: No such file or directory"),
        (["check", "--state", "x"], "--state"),
        (["check", "--root", str(state)], "no setting of server can be read there: give --root"),
        (["restore", "--state", str(state) + ".none"], "there is nothing to put back"),
        (["restore", *where], "of another network namespace"),
        (["no-such"], "no-such"),
    ):
        assert main(["tune", *words]) == 2, words
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("harness: ")
        assert says in captured.err


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune"]) == 2
    captured = capsys.readouterr()
    assert all(command in captured.out for command in ("check", "apply", "restore"))
    assert captured.err == ""


def test_what_is_nobodys_else_is_not_said_to_be(small: str, root: Path, state: Path) -> None:
    alone = Path(small).with_name("alone.toml")
    alone.write_text(PROFILE[: PROFILE.index('[settings."net.ipv4.tcp_mem"]')])
    command = ["tune", "apply", str(alone), "--state", str(state), "--root", str(root)]
    done = subprocess.run([sys.executable, "-m", "harness.cli", *command], capture_output=True, text=True, check=True)
    assert "whole machine" not in done.stdout
    assert "cannot be read" not in done.stdout
