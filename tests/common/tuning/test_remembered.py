import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.tuning.remembered import (
    Origin,
    Remembered,
    StateError,
    default_state,
    forget,
    keep,
    recall,
    this_origin,
)
from tests.common.tuning.kernel import make_kernel

HERE = Origin("0f1e", "net:[1]")
SOME = Remembered(HERE, {"net.core.somaxconn": "4096", "net.ipv4.tcp_rmem": "4096 131072 6291456"})

names = st.lists(st.from_regex(r"[a-z0-9_-]{1,9}", fullmatch=True), min_size=2, max_size=4).map(".".join)
originals = st.dictionaries(
    names, st.lists(st.integers(-9, 2**63), min_size=1).map(lambda all_: " ".join(map(str, all_)))
)


@given(originals, st.text(), st.text())
def test_what_is_kept_is_recalled(
    tmp_path_factory: pytest.TempPathFactory, given_: dict[str, str], boot: str, namespace: str
) -> None:
    state = tmp_path_factory.getbasetemp() / "kept.json"
    kept = Remembered(Origin(boot, namespace), given_)
    keep(state, kept)
    assert recall(state) == kept


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    state = tmp_path / "new" / "sysctl.json"
    keep(state, SOME)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert list(state.parent.iterdir()) == [state]


def test_it_is_forgotten(tmp_path: Path) -> None:
    state = tmp_path / "sysctl.json"
    keep(state, SOME)
    forget(state)
    assert recall(state) is None
    forget(state)


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"XDG_STATE_HOME": "/var/x", "HOME": "/home/a"}, "/var/x/matchstream/sysctl.json"),
        ({"XDG_STATE_HOME": "x", "HOME": "/home/a"}, "/home/a/.local/state/matchstream/sysctl.json"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/matchstream/sysctl.json"),
        ({}, str(Path.home() / ".local/state/matchstream/sysctl.json")),
    ],
)
def test_where_it_is_by_default(environ: dict[str, str], state: str) -> None:
    assert default_state(environ) == Path(state)


def test_a_place_is_a_boot_and_a_namespace(tmp_path: Path) -> None:
    assert this_origin(make_kernel(tmp_path)) == HERE
    assert this_origin(tmp_path / "nowhere" / "sys") == Origin("", "")
    assert this_origin(Path("/proc/sys")).namespace.startswith("net:[")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"place": {"boot": "", "namespace": ""}, "originals": {"../../etc/passwd": "1"}}',
        b'{"place": {"boot": "", "namespace": ""}, "originals": {"net/core": "1"}}',
        b'{"place": {"boot": "", "namespace": ""}, "originals": {"a.b": "root::0:0"}}',
        b'{"place": {"boot": "", "namespace": ""}, "originals": {"a.b": 1}}',
        b'{"place": {"boot": "", "namespace": ""}, "originals": {}, "more": 1}',
    ],
)
def test_what_is_no_such_file_is_refused_on_one_line(text: bytes, tmp_path: Path) -> None:
    state = tmp_path / "sysctl.json"
    state.write_bytes(text)
    with pytest.raises(StateError, match=r"is no file of remembered settings .*: remove it") as caught:
        recall(state)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_written_or_removed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"cannot be read \(Is a directory\): give another --state"):
        recall(tmp_path)
    with pytest.raises(StateError, match=r"cannot be removed \(.*\): remove it by hand"):
        forget(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"cannot be written \(.*\): give another --state"):
        keep(tmp_path / "file" / "sysctl.json", SOME)
    (tmp_path / "directory").mkdir()
    with pytest.raises(StateError, match=r"cannot be written \(Is a directory\)"):
        keep(tmp_path / "directory", SOME)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "file"]  # no half of a file is left
