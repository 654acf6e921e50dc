"""A trial in a browser while it is made: what its page asks for, and what its button does."""

from __future__ import annotations

import itertools
import json
import re
import socket
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from common.http.page_files import POLICY
from common.tuning.children import python_module
from harness.load.samples import Progress
from harness.show.live.course import Pace, Told
from harness.show.live.moments import MOST, Moments
from harness.show.live.web import NoPageError, WebScreen, parse_web_address
from harness.targets.poller import Look, Polled
from tests.common.http.samples import statistics
from tests.harness.fake import started, wait_until
from tests.harness.results import load_result
from tests.stages.chromium import MARKUP, Shown, chromium, needs_chromium

if TYPE_CHECKING:
    from pathlib import Path

ANY_PORT = ("127.0.0.1", 0)


def get(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 -- of a server that this test started
        return str(answer.read().decode())


def now(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(f"{url}now"))
    return found


def stop(url: str, key: str) -> int:
    request = urllib.request.Request(f"{url}stop", method="POST", headers={"X-Key": key})  # noqa: S310 -- as above
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 -- as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def key_in(page: str) -> str:
    (key,) = re.findall(r'name="key" content="([0-9a-f]{32})"', page)
    return str(key)


def pace(at_s: float, **counts: int) -> Pace:
    return Pace(at_s, Progress(**counts), at_s - 1, Progress())


def test_a_page_tells_how_far_a_trial_is() -> None:
    with WebScreen(ANY_PORT, "<stage>", 6, "<stage>: N = 6") as screen:
        page = get(screen.url)
        assert "<h1>&lt;stage&gt;: N = 6</h1>" in page
        assert now(screen.url)["phase"] == "starting"
        screen.show(Told("connecting", 6), pace(10.0, started=5, connected=5, answered=4, failed=1), ())
        seen = now(screen.url)
        assert (seen["phase"], seen["done"], seen["total"]) == ("connecting", 5, 6)
        assert seen["moments"] == {"at_s": [0.0], "connected": [5], "answered": [4], "receipts_per_s": [0.0]}
        assert "4 answered, 1 failed" in seen["tables"]
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            get(f"{screen.url}result")
        refused.value.close()
        screen.conclude("<p>over</p>")
        assert now(screen.url) == {"over": True}
        assert get(f"{screen.url}result") == "<p>over</p>"


@needs_chromium
async def test_what_a_server_tells_stands_beside_the_trial() -> None:
    look = Look("http://node:8888", Polled(1.0, statistics(node=MARKUP, connections=5)))
    with WebScreen(ANY_PORT, "stage 0", 6, MARKUP) as screen:
        async with chromium() as browser:
            shown = Shown(await browser.new_page())
            answer = await shown.page.goto(screen.url)
            assert answer is not None
            assert answer.headers["content-security-policy"] == POLICY
            await shown.says("#phase", "starting")
            assert await shown.page.locator("#own").is_hidden()  # no server has told anything yet
            screen.show(Told("connecting", 6), pace(10.0, started=5, connected=5, answered=4), (look,))
            await shown.says("#whom", f"Node {MARKUP}, the writer of its system.")
            assert await shown.text("h1") == MARKUP
            assert await shown.text("#count") == "4 of 6"
            assert await shown.page.locator("#trial-fans output").all_inner_texts() == ["5", "4"]
            assert await shown.text("#fans output") == "5"
            assert await shown.page.locator("#lessons dt").all_inner_texts() == ["backlog"]
            assert await shown.page.locator("#pages a").get_attribute("href") == "http://node:8888/lab"
            screen.conclude("<title>over</title>")
            await shown.page.wait_for_url("**/result")
            assert await shown.page.title() == "over"
            assert shown.complaints == []
            assert shown.asked == {screen.url.removesuffix("/")}


def test_only_the_page_may_end_it() -> None:
    with WebScreen(ANY_PORT, "stage 0", 6, "stage 0") as screen:
        assert stop(screen.url, "") == stop(screen.url, "0" * 32) == 403


def test_where_nothing_can_be_served_it_says_so() -> None:
    with socket.create_server(ANY_PORT) as taken:
        address = taken.getsockname()
        with pytest.raises(NoPageError, match=rf"no page can be served at 127\.0\.0\.1:{address[1]} .*choose another"):
            WebScreen(address, "stage 0", 6, "stage 0").__enter__()


@pytest.mark.parametrize(
    ("text", "address"), [(":8089", ("127.0.0.1", 8089)), (":0", ("127.0.0.1", 0)), ("[::1]:80", ("::1", 80))]
)
def test_an_address_without_a_host_is_this_machine(text: str, address: tuple[str, int]) -> None:
    assert parse_web_address(text) == address


@pytest.mark.parametrize("text", ["8089", ":", "host", ":99999"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NoPageError, match="--web: "):
        parse_web_address(text)


def test_of_very_many_moments_every_other_one_is_kept() -> None:
    moments = Moments()
    for second in range(5 * MOST):
        moments.add(pace(float(second), answered=second))
    at_s = moments.columns()["at_s"]
    assert len(at_s) <= MOST
    assert len({later - earlier for earlier, later in itertools.pairwise(at_s)}) == 1
    assert at_s[0] == 0.0
    assert at_s[-1] > 4 * MOST


def test_the_button_ends_a_trial_and_what_was_seen_is_kept(tmp_path: Path) -> None:
    words = ("-N", "6", "-C", "3", "--events", "1000", "--rate", "2", "--out", str(tmp_path), "--web", ":0")
    command = python_module("harness", "measure", "--stage", "0", *words)
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[1]
        key = key_in(get(url))
        wait_until(lambda: now(url)["phase"] == "posting" and bool(now(url)["nodes"]))
        (node,) = now(url)["nodes"]
        assert node["statistics"]["stage"]["name"] == "0"
        assert "<title>Match Stream Lab</title>" in get(node["page"])
        assert stop(url, key) == 200
        wait_until(lambda: bool(now(url)["over"]))
        page = get(f"{url}result")
        process.communicate()
    assert process.returncode == 130
    assert "INVALID" in page
    (stored,) = tmp_path.glob("*.json")
    assert load_result(stored).interrupted
