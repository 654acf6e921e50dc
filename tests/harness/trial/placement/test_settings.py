from pathlib import Path

import pytest

from common.tuning.profile import parse_profile
from common.tuning.sysctl import load_profile
from harness.trial.placement.errors import PlacementError
from harness.trial.placement.settings import SMALL_BUFFERS, SMALL_QUEUES, set_in_namespace, shrink

SETTING = """
[settings."{name}"]
value = "{value}"
compare = "at least"
belongs_to = "{scope}"
default = "1"
reason = "so"
source = "here"
"""


def profile_of(*settings: tuple[str, str, str]) -> str:
    return 'purpose = "tests"\n' + "".join(
        SETTING.format(name=name, value=value, scope=scope) for name, value, scope in settings
    )


PROFILE = parse_profile(
    profile_of(
        ("net.core.short", "100", "network namespace"),
        ("net.core.met", "100", "network namespace"),
        ("net.core.gone", "100", "network namespace"),
        ("net.ipv4.three", "4 8 16", "network namespace"),
        ("net.core.machine", "100", "whole machine"),
    ),
    "tests",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, value in (("core/short", "5"), ("core/met", "200"), ("ipv4/three", "4\t9\t9"), ("core/machine", "5")):
        path = tmp_path / "sys" / "net" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return tmp_path / "sys"


def test_only_what_is_short_and_the_namespaces_own_is_set(root: Path) -> None:
    assert set_in_namespace(PROFILE, root) == {"net.core.short": "100", "net.ipv4.three": "4 9 16"}
    assert (root / "net/core/short").read_text() == "100\n"
    assert (root / "net/ipv4/three").read_text() == "4 9 16\n"
    assert (root / "net/core/met").read_text() == "200\n"
    assert (root / "net/core/machine").read_text() == "5\n"


def test_a_second_time_there_is_nothing_to_set(root: Path) -> None:
    set_in_namespace(PROFILE, root)
    assert set_in_namespace(PROFILE, root) == {}


def test_small_buffers_are_below_what_the_profile_of_a_server_asks_for(root: Path) -> None:
    for name in ("tcp_rmem", "tcp_wmem"):
        (root / "net/ipv4" / name).write_text("4096\t131072\t6291456\n")
    shrink(SMALL_BUFFERS, root)
    assert (root / "net/ipv4/tcp_wmem").read_text() == "4096 4096 8192\n"
    assert set_in_namespace(load_profile("server"), root) == {
        "net.ipv4.tcp_rmem": "4096 16384 131072",
        "net.ipv4.tcp_wmem": "4096 16384 65536",
    }


def test_a_setting_that_the_kernel_refuses_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(PlacementError, match=r"net\.core\.short cannot be set to 100 \(Operation not permitted\)"):
        set_in_namespace(PROFILE, root)


def test_small_queues_are_below_what_the_profile_of_a_server_asks_for(root: Path) -> None:
    (root / "net/core/somaxconn").write_text("4096\n")
    shrink(SMALL_QUEUES, root)
    assert (root / "net/core/somaxconn").read_text() == "128\n"
    assert set_in_namespace(load_profile("server"), root)["net.core.somaxconn"] == "65535"
