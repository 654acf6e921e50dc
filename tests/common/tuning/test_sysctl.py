from pathlib import Path

import pytest

from common.tuning.profile import ProfileError, parse_profile
from common.tuning.sysctl import PROFILES, Standing, check, load_profile, profile_names, read_sysctls, shortfalls
from tests.common.tuning.kernel import PAGES, PROFILE, SHORT, TUNED, make_kernel, values

SMALL = parse_profile(PROFILE, "small")


def test_settings_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    root = make_kernel(tmp_path, {"net.core.somaxconn": "4096", "net.core.rmem": "4096\t87380\t6291456"})
    assert read_sysctls(["net.core.somaxconn", "net.core.rmem", "no.such"], root) == {
        "net.core.somaxconn": "4096",
        "net.core.rmem": "4096 87380 6291456",
    }


def test_what_is_met_what_is_short_and_what_cannot_be_read(tmp_path: Path) -> None:
    root = make_kernel(tmp_path)
    (root / "net" / "core" / "somaxconn").write_text("1024\n")
    found = {each.setting.name: each for each in check(SMALL, root)}
    assert [each.standing for each in found.values()] == [
        Standing.MET,
        Standing.SHORT,
        Standing.SHORT,
        Standing.SHORT,
        Standing.UNKNOWN,
    ]
    rmem, mem = found["net.ipv4.tcp_rmem"], found["net.ipv4.tcp_mem"]
    assert (rmem.now, rmem.wanted, rmem.target) == (
        "4096 65536 33554432",
        "4096 131072 131072",
        "4096 131072 33554432",  # what was larger stays
    )
    assert mem.wanted == f"{PAGES // 10} {PAGES * 15 // 100} {PAGES // 5}"
    gone = found["net.netfilter.nf_conntrack_max"]
    assert (gone.now, gone.wanted) == (None, "1000")


def test_a_tuned_machine_is_short_of_nothing(tmp_path: Path) -> None:
    root = make_kernel(tmp_path, TUNED)
    assert shortfalls(SMALL, root) == ()


def test_what_is_short_is_named_with_what_it_is(tmp_path: Path) -> None:
    short = shortfalls(SMALL, make_kernel(tmp_path))
    assert tuple(phrase.split()[0] for phrase in short) == SHORT
    assert short[0] == "net.core.somaxconn is 128, not at least 1024"
    assert short[2] == "net.ipv4.ip_local_port_range is 32768 60999, not exactly 16384 65535"


@pytest.mark.parametrize("meminfo", [None, "", "MemTotal: much\n"])
def test_without_the_memory_a_share_of_it_is_unknown(meminfo: str | None, tmp_path: Path) -> None:
    root = make_kernel(tmp_path)
    (tmp_path / "meminfo").unlink()
    if meminfo is not None:
        (tmp_path / "meminfo").write_text(meminfo)
    (mem,) = (each for each in check(SMALL, root) if each.setting.percent)
    assert (mem.standing, mem.wanted) == (Standing.UNKNOWN, "10% 15% 20%")
    assert len(shortfalls(SMALL, root)) == 3


def test_a_machine_without_settings_is_short_of_none(tmp_path: Path) -> None:
    assert {each.standing for each in check(SMALL, tmp_path / "sys")} == {Standing.UNKNOWN}
    assert shortfalls(SMALL, tmp_path / "sys") == ()


@pytest.mark.parametrize("name", profile_names())
def test_this_machine_can_be_checked(name: str) -> None:
    profile = load_profile(name)
    assert len(check(profile)) == len(profile.settings)


def test_checking_changes_nothing(tmp_path: Path) -> None:
    root = make_kernel(tmp_path)
    before = values(root)
    check(SMALL, root)
    assert values(root) == before


def test_a_profile_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(PROFILE)
    assert load_profile("mine", tmp_path) == load_profile(str(file)) == parse_profile(PROFILE, "mine")
    assert load_profile(str(PROFILES / "server.toml")) == load_profile("server")


def test_a_name_is_never_a_file_of_where_one_happens_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_profile("server").name == "server"


def test_what_is_not_found_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ProfileError, match=r"no such profile; give the path of one, or one of: generator, million, server"
    ):
        load_profile("sever")
    with pytest.raises(ProfileError, match=r"profiles come with a checkout of the project, and this is none"):
        load_profile("server", tmp_path / "site-packages" / "sysctl")
    with pytest.raises(ProfileError, match=r"none\.toml: cannot be read: No such file or directory"):
        load_profile(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b"\xe9")
    with pytest.raises(ProfileError, match=r"latin\.toml: is not a text in UTF-8"):
        load_profile(str(tmp_path / "latin.toml"))
    (tmp_path / "bad.toml").write_text("=")
    with pytest.raises(ProfileError, match=r"bad\.toml: this is not TOML"):
        load_profile("bad", tmp_path)
