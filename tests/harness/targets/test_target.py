"""What targets have in common: addresses, and a fan's part in the stages' protocol."""

import pytest

from harness.load.workload import Endpoint
from harness.targets.address import AddressTarget
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError, match_stream_dialogue, parse_address, show_address
from harness.targets.variant import Variant
from tests.harness.fake import FAKE


@pytest.mark.parametrize(
    ("text", "endpoints"),
    [
        ("127.0.0.1:9999", (Endpoint("127.0.0.1", 9999),)),
        ("example.org:9999-10000", (Endpoint("example.org", 9999), Endpoint("example.org", 10000))),
        ("[::1]:80", (Endpoint("::1", 80),)),
    ],
)
def test_addresses(text: str, endpoints: tuple[Endpoint, ...]) -> None:
    assert parse_address(text) == endpoints
    assert show_address(endpoints)[0] == text.partition("-")[0]


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "host:0", "host:70000", "host:90-80", "::1:80", "a b:80", "h:80-"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(TargetError, match=r"is no address|no such ports"):
        parse_address(text)


def test_a_fan_watches_a_match_or_the_current_one() -> None:
    assert match_stream_dialogue("a-b-2026-01-01").hello == b"VERSION:1:CONNECT:{user}:MATCH:a-b-2026-01-01\n"
    assert match_stream_dialogue(None).hello == b"V:2:{user}\n"
    assert StageTarget(Variant("0"), FAKE).dialogue("m") == AddressTarget("h:1", None).dialogue("m")
