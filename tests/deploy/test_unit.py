"""`matchstream.service` and `matchstream.env`: systemd takes them, and they fit the server and the kernel's profile."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from common.durations import parse_duration
from common.process_start import ending_signals
from common.tuning.sysctl import load_profile
from stages.stage1 import MOST_FILES
from stages.stage3.node_process import STOP_S
from tests.deploy.shipped import DEPLOY, changed, environment_file, unit_settings
from tests.needs import needs
from tests.printed_commands import COMMANDS_OF

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

UNIT: Final = (DEPLOY / "matchstream.service").read_text()
FILE: Final = (DEPLOY / "matchstream.env").read_text()
SERVE: Final = COMMANDS_OF["matchstream"].commands["serve"]  # type: ignore[attr-defined]
TOKEN: Final = "MATCHSTREAM_TOKEN"  # noqa: S105  # a name
OTHERS_NEED_S: Final = 5.0
"""For a node that has to be killed, and for the parent itself."""
needs_systemd: Final = needs("systemd-analyze", "systemd")


def only(name: str) -> str:
    """Return the value of a setting that stands in the unit once."""
    (found,) = (setting.value for setting in unit_settings(UNIT) if setting.name == name)
    return found


def commented_out() -> dict[str, str]:
    """Return the variables that the environment file has behind a #, with the values that it shows."""
    return dict(re.findall(r"^#(MATCHSTREAM_\w+)=(.*)$", FILE, re.MULTILINE))


@needs_systemd
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "matchstream.service"
    unit.write_text(changed(UNIT, {"/opt/matchstream/.venv/bin/matchstream": sys.executable}))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_server_is_exposed_no_more_than_it_has_to_be() -> None:
    """Of 10; what is left is that it speaks with others (1.2 by systemd 252)."""
    command = ("systemd-analyze", "security", "--offline=true", "--threshold=15")
    done = subprocess.run([*command, str(DEPLOY / "matchstream.service")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_only_the_first_process_is_told_to_end_and_has_the_time_that_it_takes() -> None:
    assert only("KillMode") == "mixed"
    assert only("KillSignal") in {number.name for number in ending_signals()}
    grace_s = parse_duration(commented_out()["MATCHSTREAM_GRACE"])
    longest_s = re.search(r"a grace of more than (\d+) s", UNIT)
    assert longest_s is not None
    for seconds in (grace_s, float(longest_s[1])):
        assert float(only("TimeoutStopSec")) >= seconds + STOP_S + OTHERS_NEED_S


def test_systemd_waits_for_the_word_of_the_first_process_and_of_no_other() -> None:
    """Which it gives: tests/stages/test_notify.py."""
    assert (only("Type"), only("NotifyAccess")) == ("notify", "main")


def test_a_node_may_open_what_it_asks_for_and_the_kernel_allows() -> None:
    (allowed,) = (each for each in load_profile("million").settings if each.name == "fs.nr_open")
    assert int(only("LimitNOFILE")) == MOST_FILES <= min(allowed.numbers[0], int(allowed.default))


def test_the_environment_file_is_enough_to_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = only("ExecStart").split()
    assert (program.rpartition("/")[2], words) == ("matchstream", ["serve"])
    for name, value in environment_file(FILE).items():
        monkeypatch.setenv(name, value)
    taken = SERVE.make_context("serve", []).params
    assert (taken["stage"], taken["redis"]) == ("3", "redis://127.0.0.1:6379/0")


def test_every_variable_is_one_and_what_is_commented_out_is_the_default_if_there_is_one() -> None:
    defaults = {option.envvar: option.default for option in SERVE.params if option.envvar}
    shown = commented_out()
    assert shown.pop(TOKEN) == ""  # the server makes one
    assert shown.keys() <= defaults.keys()
    assert {name: str(defaults[name]) for name in shown if defaults[name] is not None}.items() <= shown.items()
    assert environment_file(FILE).keys() <= defaults.keys()


def test_the_token_stands_in_a_file_for_root_and_nowhere_else() -> None:
    assert TOKEN not in UNIT
    assert TOKEN not in environment_file(FILE)
    assert only("EnvironmentFile") == "/etc/matchstream/matchstream.env"
    assert (
        f"install -D -m 600 /opt/matchstream/deploy/matchstream.env {only('EnvironmentFile')}"
        in (DEPLOY / "RUNBOOK.md").read_text()
    )
