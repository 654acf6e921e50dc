import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from common.tuning.applying import ApplyError, apply, restore
from common.tuning.profile import Profile, Setting, parse_profile
from common.tuning.remembered import StateError, recall
from common.tuning.sysctl import Finding, read_sysctls, shortfalls
from tests.common.tuning.kernel import PROFILE, SHORT, TUNED, UNTUNED, enter_namespace, make_kernel, values

SMALL = parse_profile(PROFILE, "small")
Refuse = Callable[[Mapping[str, object]], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_kernel(tmp_path)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sysctl.json"


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Have the kernel answer writes to a setting, by the last word of its name: with an error number or a value.

    Given a list, it answers with one after the other, and takes what is written when the list is empty.
    """
    answers: dict[str, object] = {}
    take = Path.write_text

    def write(path: Path, text: str) -> int:
        answer = answers.get(path.name)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, int):
            raise OSError(answer, os.strerror(answer))
        return take(path, text if answer is None else str(answer))

    monkeypatch.setattr(Path, "write_text", write)
    return answers.update


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, tuple[str, ...]], None]:
    """Have the settings of these last words refuse to be opened for writing."""
    really_open = os.open

    def forbid_(number: int, words: tuple[str, ...]) -> None:
        def open_(path: Path, flags: int, mode: int = 0o777) -> int:
            if Path(path).name in words:
                raise OSError(number, os.strerror(number))
            return really_open(path, flags, mode)

        monkeypatch.setattr(os, "open", open_)

    return forbid_


def names(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(found.setting.name for found in findings)


def only(profile: Profile, *wanted: str) -> Profile:
    def chosen(setting: Setting) -> bool:
        return setting.name in wanted

    return Profile(profile.name, profile.purpose, tuple(filter(chosen, profile.settings)))


def test_what_is_short_is_changed_and_put_back(root: Path, state: Path) -> None:
    done = apply(SMALL, state, root)
    assert names(done.changed) == SHORT
    assert names(done.unknown) == ("net.netfilter.nf_conntrack_max",)
    assert done.met == done.refused == ()
    assert values(root) == TUNED
    assert shortfalls(SMALL, root) == ()

    undone = restore(state, root)
    assert undone.values == UNTUNED
    assert undone.gone == ()
    assert not undone.rebooted
    assert values(root) == UNTUNED
    assert not state.exists()


def test_applying_again_remembers_what_was_there_at_first(root: Path, state: Path) -> None:
    apply(only(SMALL, "net.core.somaxconn"), state, root)
    again = apply(SMALL, state, root)
    assert names(again.met) == ("net.core.somaxconn",)
    (root / "net" / "core" / "somaxconn").write_text("256\n")  # somebody else's change in between
    apply(SMALL, state, root)
    assert values(root) == TUNED
    restore(state, root)
    assert values(root) == UNTUNED


def test_where_all_is_met_nothing_is_done_or_remembered(root: Path, state: Path) -> None:
    apply(SMALL, state, root)
    restore(state, root)
    for name, value in TUNED.items():
        root.joinpath(*name.split(".")).write_text(value)
    assert apply(SMALL, state, root).changed == ()
    assert not state.exists()


def test_there_has_to_be_something_to_put_back(root: Path, state: Path) -> None:
    with pytest.raises(StateError, match=r"there is nothing to put back: .*sysctl\.json does not exist"):
        restore(state, root)


@pytest.mark.parametrize("word", ["somaxconn", "ip_local_port_range", "tcp_mem"])
def test_a_refusal_half_way_leaves_all_as_it_was(word: str, root: Path, state: Path, refuse: Refuse) -> None:
    refuse({word: [errno.EINVAL]})
    with pytest.raises(ApplyError, match=rf"{word} cannot be changed \(Invalid argument\); all is as it was") as caught:
        apply(SMALL, state, root)
    assert "\n" not in str(caught.value)
    assert values(root) == UNTUNED
    assert not state.exists()


def test_a_value_that_the_kernel_makes_another_is_a_refusal(root: Path, state: Path, refuse: Refuse) -> None:
    refuse({"ip_local_port_range": ["1024 1025"]})
    with pytest.raises(ApplyError, match=r"ip_local_port_range .*the kernel made 1024 1025 of it\); all is as it was"):
        apply(SMALL, state, root)
    assert values(root) == UNTUNED


def test_a_refusal_of_a_second_profile_keeps_what_the_first_one_had(root: Path, state: Path, refuse: Refuse) -> None:
    apply(only(SMALL, "net.core.somaxconn"), state, root)
    remembered = recall(state)
    refuse({"tcp_mem": [errno.EINVAL]})
    with pytest.raises(ApplyError):
        apply(SMALL, state, root)
    assert recall(state) == remembered
    assert values(root) == {**UNTUNED, "net.core.somaxconn": "1024"}
    restore(state, root)
    assert values(root) == UNTUNED


def test_what_cannot_be_undone_is_named_and_still_remembered(root: Path, state: Path, refuse: Refuse) -> None:
    refuse({"tcp_mem": [errno.EINVAL], "tcp_rmem": [None, errno.EIO]})
    with pytest.raises(ApplyError, match=r"still changed: net\.ipv4\.tcp_rmem; .*sysctl\.json has what was there"):
        apply(SMALL, state, root)
    assert values(root) == {**UNTUNED, "net.ipv4.tcp_rmem": TUNED["net.ipv4.tcp_rmem"]}
    restore(state, root)
    assert values(root) == UNTUNED


def test_an_interruption_leaves_all_as_it_was(root: Path, state: Path, refuse: Refuse) -> None:
    refuse({"ip_local_port_range": [KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        apply(SMALL, state, root)
    assert values(root) == UNTUNED
    assert not state.exists()


def test_without_a_place_to_remember_nothing_is_changed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="give another --state"):
        apply(SMALL, tmp_path / "file" / "sysctl.json", root)
    assert values(root) == UNTUNED


KILLED_HALF_WAY = """
import os, sys
from pathlib import Path
from common.tuning.applying import apply
from common.tuning.profile import parse_profile

take = Path.write_text
Path.write_text = lambda path, text: os._exit(9) if path.name == "tcp_mem" else take(path, text)
apply(parse_profile(sys.argv[1], "small"), Path(sys.argv[2]), Path(sys.argv[3]))
"""


def test_what_was_there_outlives_a_crash_half_way(root: Path, state: Path) -> None:
    command = [sys.executable, "-c", KILLED_HALF_WAY, PROFILE, str(state), str(root)]
    assert subprocess.run(command, check=False).returncode == 9
    assert values(root) == {**TUNED, "net.ipv4.tcp_mem": UNTUNED["net.ipv4.tcp_mem"]}
    restore(state, root)
    assert values(root) == UNTUNED


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_who_may_change_nothing_is_told_so_on_one_line(
    number: int, root: Path, state: Path, forbid: Callable[[int, tuple[str, ...]], None]
) -> None:
    forbid(number, ("somaxconn", "tcp_rmem", "ip_local_port_range", "tcp_mem"))
    with pytest.raises(ApplyError, match=r"net\.core\.somaxconn cannot be changed \(.*\): run it as root") as caught:
        apply(SMALL, state, root)
    assert "\n" not in str(caught.value)
    assert not state.exists()
    assert values(root) == UNTUNED


def test_what_may_not_be_changed_here_is_left_alone(
    root: Path, state: Path, forbid: Callable[[int, tuple[str, ...]], None]
) -> None:
    forbid(errno.EACCES, ("tcp_mem",))
    done = apply(SMALL, state, root)
    assert names(done.refused) == ("net.ipv4.tcp_mem",)
    assert values(root) == {**TUNED, "net.ipv4.tcp_mem": UNTUNED["net.ipv4.tcp_mem"]}
    restore(state, root)
    assert values(root) == UNTUNED


def test_what_cannot_be_put_back_stays_remembered(root: Path, state: Path, refuse: Refuse) -> None:
    apply(SMALL, state, root)
    refuse({"tcp_rmem": [errno.EACCES], "tcp_mem": [errno.EACCES]})
    with pytest.raises(
        ApplyError, match=r"tcp_rmem cannot .*: run it as root.*; 2 of 4 were put back, .* has the others"
    ):
        restore(state, root)
    remembered = recall(state)
    assert remembered is not None
    assert set(remembered.originals) == {"net.ipv4.tcp_rmem", "net.ipv4.tcp_mem"}
    restore(state, root)
    assert values(root) == UNTUNED


def test_what_is_gone_is_named(root: Path, state: Path) -> None:
    apply(SMALL, state, root)
    (root / "net" / "core" / "somaxconn").unlink()
    done = restore(state, root)
    assert done.gone == ("net.core.somaxconn",)
    assert values(root) == {name: value for name, value in UNTUNED.items() if name != "net.core.somaxconn"}
    assert not state.exists()


def test_after_a_reboot_nothing_old_is_put_back(root: Path, state: Path) -> None:
    apply(SMALL, state, root)
    (root / "kernel" / "random" / "boot_id").write_text("another\n")
    assert restore(state, root).rebooted
    assert values(root) == TUNED
    assert not state.exists()


def test_after_a_reboot_what_is_there_then_is_remembered(root: Path, state: Path) -> None:
    apply(SMALL, state, root)
    make_kernel(root.parent, {**UNTUNED, "net.core.somaxconn": "512", "kernel.random.boot_id": "another"})
    apply(SMALL, state, root)
    restore(state, root)
    assert values(root) == {**UNTUNED, "net.core.somaxconn": "512"}


def test_another_namespace_gets_nothing_of_this_one(root: Path, state: Path) -> None:
    apply(only(SMALL, "net.core.somaxconn"), state, root)
    enter_namespace(root.parent, "net:[2]")
    before = values(root)
    for change in (lambda: restore(state, root), lambda: apply(SMALL, state, root)):
        with pytest.raises(StateError, match="of another network namespace: restore them there"):
            change()
    assert values(root) == before
    enter_namespace(root.parent, "net:[1]")
    restore(state, root)
    assert values(root) == UNTUNED


# --- A real kernel, in a network namespace of its own, so that this machine keeps its settings ---

IN_A_NAMESPACE = """
import sys
from pathlib import Path
from common.tuning.applying import ApplyError, apply, restore
from common.tuning.sysctl import load_profile, read_sysctls

def show(word):
    print(word, read_sysctls(NAMES))

good, bad, state = sys.argv[1], sys.argv[2], Path(sys.argv[3])
NAMES = ("net.core.somaxconn", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_rmem")
show("before")
apply(load_profile(good), state)
show("applied")
restore(state)
show("restored")
try:
    apply(load_profile(bad), state)
except ApplyError as error:
    print("refused", error)
show("after")
print("state", state.exists())
"""


def namespaces_can_be_made() -> bool:
    unshare = shutil.which("unshare")
    return (
        unshare is not None
        and subprocess.run([unshare, "-n", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(os.geteuid() != 0 or not namespaces_can_be_made(), reason="needs root, and network namespaces")
def test_a_real_kernel_takes_a_profile_and_gives_it_back(tmp_path: Path) -> None:
    mine = only(SMALL, "net.core.somaxconn", "net.ipv4.tcp_rmem", "net.ipv4.ip_local_port_range")
    assert {setting.belongs_to for setting in mine.settings} == {"network namespace"}  # nothing of the machine's
    before = read_sysctls(setting.name for setting in mine.settings)
    text = PROFILE[: PROFILE.index('[settings."net.ipv4.tcp_mem"]')].replace('value = "1024"', 'value = "70000"')
    good, bad, state = tmp_path / "good.toml", tmp_path / "bad.toml", tmp_path / "state.json"
    good.write_text(text)
    bad.write_text(text.replace("16384 65535", "60000 20000"))  # an empty range, which the kernel refuses
    command = ["unshare", "-n", sys.executable, "-c", IN_A_NAMESPACE, str(good), str(bad), str(state)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert "'net.core.somaxconn': '70000'" in said["applied"]
    assert "'net.ipv4.ip_local_port_range': '16384 65535'" in said["applied"]
    assert said["restored"] == said["before"] == said["after"]
    assert "port_range cannot be changed (Invalid argument); all is as it was" in said["refused"]
    assert said["state"] == "False"
    assert read_sysctls(before) == before
