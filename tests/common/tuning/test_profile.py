import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.tuning.profile import (
    ProfileError,
    Requirement,
    Scope,
    Setting,
    numbers_in,
    parse_profile,
)
from common.tuning.sysctl import load_profile, profile_names
from harness.records.machine import SYSCTLS
from tests.common.tuning.kernel import PROFILE

ONE = {
    "value": '"4096"',
    "compare": '"at least"',
    "belongs_to": '"network namespace"',
    "default": '"128"',
    "reason": '"Bounds C."',
    "source": '"listen(2)"',
}
FIRST_LISTENER, LAST_LISTENER = 8888, 10_999  # where stages listen

numbers = st.integers(0, 2**63 - 1)
vectors = st.lists(numbers, min_size=1, max_size=4).map(tuple)


def profile_text(**changed: str | None) -> str:
    table = "".join(f"{key} = {value}\n" for key, value in {**ONE, **changed}.items() if value is not None)
    return f'purpose = "A test"\n[settings."net.core.somaxconn"]\n{table}'


def setting(wanted: tuple[int, ...], requirement: Requirement, *, percent: bool = False) -> Setting:
    return Setting("net.core.x", wanted, percent, requirement, Scope.MACHINE, "1", "It bounds N.", "tcp(7)")


def show(found: tuple[int, ...]) -> str:
    return "\t".join(map(str, found))


@pytest.mark.parametrize("name", profile_names())
def test_the_profiles_of_the_project_explain_every_setting(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.purpose
    for each in profile.settings:
        assert each.reason.startswith(("Bounds", "Bytes")), each.name
        assert len(each.reason) > 80, each.name
        assert each.default, each.name
        assert re.search(r"\([2-8]\)|Documentation/", each.source), each.name
        assert each.name in SYSCTLS, "a result has to say what was tuned"


def test_the_projects_profiles_are_three() -> None:
    assert profile_names() == ("generator", "million", "server")


def test_who_has_a_million_fans_has_what_a_server_asks_for() -> None:
    """So that a server, which names what is short of its own profile, is content."""
    million = {each.name: each for each in load_profile("million").settings}
    for each in load_profile("server").settings:
        largest = million[each.name]
        assert (largest.requirement, largest.percent) == (each.requirement, each.percent), each.name
        assert all(it >= least for it, least in zip(largest.numbers, each.numbers, strict=True)), each.name


def test_what_belongs_to_the_whole_machine() -> None:
    everywhere = {each for name in profile_names() for each in load_profile(name).settings}
    assert {each.name for each in everywhere if each.belongs_to is Scope.MACHINE} == {
        "fs.file-max",
        "fs.nr_open",
        "net.core.netdev_max_backlog",  # this and those that follow are missing, or read-only, in another namespace
        "net.ipv4.tcp_max_orphans",
        "net.ipv4.tcp_mem",
        "net.netfilter.nf_conntrack_buckets",
        "net.netfilter.nf_conntrack_max",
    }


def test_listeners_are_outside_the_ports_that_clients_get() -> None:
    ranges = [each for each in load_profile("generator").settings if each.name.endswith("port_range")]
    (first, last) = ranges[0].numbers
    assert ranges[0].requirement is Requirement.EXACTLY
    assert not set(range(FIRST_LISTENER, LAST_LISTENER + 1)) & set(range(first, last + 1))


@pytest.mark.parametrize("memory_gib", [1, 24, 4096])
def test_tcp_never_gets_more_than_a_quarter_of_any_machine(memory_gib: int) -> None:
    pages = memory_gib * 2**30 // 4096
    for name in profile_names():
        (mem,) = (each for each in load_profile(name).settings if each.name == "net.ipv4.tcp_mem")
        low, pressure, high = mem.wanted(pages)
        assert 0 < low < pressure < high <= pages // 4


def test_a_profile_is_read() -> None:
    profile = parse_profile(PROFILE, "small")
    assert (profile.name, profile.purpose) == ("small", "A small server")
    assert [each.name for each in profile.settings][:2] == ["net.core.somaxconn", "net.ipv4.tcp_rmem"]
    first, mem = profile.settings[0], profile.settings[3]
    assert first == Setting(
        "net.core.somaxconn", (1024,), False, Requirement.AT_LEAST, Scope.NAMESPACE, "4096", "Bounds C.", "listen(2)"
    )
    assert mem.value == "10% 15% 20%"
    assert mem.wanted(1005) == (100, 150, 201)


@given(vectors, vectors, numbers)
def test_at_least_is_reached_and_lowers_nothing(wanted: tuple[int, ...], now: tuple[int, ...], pages: int) -> None:
    asked = setting(wanted, Requirement.AT_LEAST)
    target = asked.target(show(now), pages)
    assert asked.is_met(show(target), pages)
    assert all(got >= least for got, least in zip(target, wanted, strict=True))
    if len(now) == len(wanted):
        assert all(got >= had for got, had in zip(target, now, strict=True))
        assert asked.is_met(show(now), pages) == all(had >= least for had, least in zip(now, wanted, strict=True))
    else:
        assert not asked.is_met(show(now), pages)


@given(vectors, vectors, numbers)
def test_exactly_is_what_it_says(wanted: tuple[int, ...], now: tuple[int, ...], pages: int) -> None:
    asked = setting(wanted, Requirement.EXACTLY)
    assert asked.target(show(now), pages) == wanted
    assert asked.is_met(show(now), pages) == (now == wanted)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=3).map(tuple), numbers)
def test_a_share_is_never_more_than_the_memory(percent: tuple[int, ...], pages: int) -> None:
    assert all(0 <= number <= pages for number in setting(percent, Requirement.AT_LEAST, percent=True).wanted(pages))


@given(vectors, st.sampled_from(list(Requirement)), st.sampled_from(list(Scope)), st.booleans())
def test_what_is_written_is_read(
    wanted: tuple[int, ...],
    requirement: Requirement,
    scope: Scope,
    percent: bool,
) -> None:
    wanted = tuple(number % 101 for number in wanted) if percent else wanted
    value = Setting("a.b", wanted, percent, requirement, scope, "1", "r", "s").value
    text = profile_text(value=f'"{value}"', compare=f'"{requirement}"', belongs_to=f'"{scope}"')
    (read,) = parse_profile(text, "test").settings
    assert (read.numbers, read.percent, read.requirement, read.belongs_to) == (wanted, percent, requirement, scope)


@given(st.text())
def test_any_text_is_a_profile_or_one_line(text: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "test")
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_value_of_the_kernel_is_numbers_or_none(text: str) -> None:
    assert all(isinstance(number, int) for number in numbers_in(text))


@pytest.mark.parametrize("value", ["cubic", "", "1,2-4", "4096 cubic"])
def test_what_is_no_number_is_never_met(value: str) -> None:
    assert numbers_in(value) == ()
    assert not setting((0,), Requirement.AT_LEAST).is_met(value, 1)
    assert setting((7,), Requirement.AT_LEAST).target(value, 1) == (7,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("=", "this is not TOML"),
        ('purpose = "x"', "it has no settings"),
        ('purpose = "x"\nsettings = 3', "it has no settings"),
        ('purpose = "x"\nsettings.a-b = 3', "no setting's name"),
        ('purpose = "x"\nsettings."a.b" = 3', "a.b: is no table"),
        ("[settings]\n", "it has no settings"),
        (profile_text() + "purpose = 1\n", "'purpose' is not known here"),
        (profile_text().replace("purpose", "porpoise"), "'porpoise' is not known here; known are purpose, settings"),
        (profile_text().replace('"A test"', '" "'), "purpose is missing or no text"),
        (profile_text().replace('"net.core.somaxconn"', "net.core.somaxconn"), "quote it whole"),
        (profile_text().replace("net.core.somaxconn", "../../etc/passwd"), "no setting's name"),
        (profile_text().replace("net.core.somaxconn", "net..core"), "no setting's name"),
        (profile_text(value="65535"), "value is missing or no text"),
        (profile_text(value='"-1"'), "is no value"),
        (profile_text(value='"cubic"'), "is no value"),
        (profile_text(value='"10% 4096"'), "is no value"),
        (profile_text(value='"101%"'), "is more memory than there is"),
        (profile_text(compare='"at most"'), "compare: 'at most' is unknown; write one of: at least, exactly"),
        (
            profile_text(belongs_to='"me"'),
            "belongs_to: 'me' is unknown; write one of: whole machine, network namespace",
        ),
        (profile_text(reason=None), "net.core.somaxconn: reason is missing"),
        (profile_text(default=None), "net.core.somaxconn: default is missing"),
        (profile_text(source='""'), "net.core.somaxconn: source is missing"),
    ],
)
def test_what_is_no_profile_is_refused_on_one_line(text: str, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "test")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_profile_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_text(PROFILE, encoding="utf-8-sig")
    assert load_profile(str(file)) == parse_profile(PROFILE, "windows")
