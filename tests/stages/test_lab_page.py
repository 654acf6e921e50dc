"""The lab's page at a server as it is: its figures, its lessons, and what it says while the server is not there."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from common.listening import reserve
from stages.catalogue import STAGES
from tests.common.http.test_lab_page import lab
from tests.stages.at_rest import at_rest
from tests.stages.chromium import needs_chromium
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_chromium

FANS = 3
SERVED = [
    pytest.param("0", (), id="0"),
    pytest.param("2.5", ("--without", "hibernate"), id="2.5", marks=pytest.mark.slow),
    pytest.param("4", ("--workers", "2", "--browser-port", "0"), id="4"),
]


@pytest.mark.parametrize(("name", "options"), SERVED)
async def test_it_shows_what_the_server_tells_and_says_when_it_is_not_there(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    kept = reserve("127.0.0.1", 0, STAGES[name].parts.http_listeners)  # nobody else is given them in between
    options += ("--http-port", str(kept[0].getsockname()[1]))
    with ExitStack() as stack:
        for sock in kept:
            stack.enter_context(sock)
        server = stack.enter_context(ServerProcess(name, tmp_path, *options))
        async with lab(server.url) as found, AsyncExitStack() as fans:
            async with ReporterClient(server.url, TOKEN) as api:
                game = await Game.announced(api, "lab")
                await game.start()
                for number in range(FANS):
                    fan = await fans.enter_async_context(Fan((server.host, server.fan_ports[0])))
                    await fan.watch(f"fan-{number}", game.id)
                await found.says("#fans output", str(FANS))
                seen = await at_rest(api, fans=FANS)
            (node,) = await found.rows("Nodes")
            assert (node["node"], node["fans"], node["drops"]) == (seen.node, str(FANS), "0")
            assert [row["reason"] for row in await found.rows("Drops by reason")] == list(seen.drops)
            assert {row["kind"] for row in await found.rows("Longest mailboxes")} <= {kind.kind for kind in seen.kinds}
            workers = await found.page.get_by_role("table", name="Workers").locator("tbody tr").count()
            assert workers == len(seen.workers)
            without = [lesson for lesson in STAGES[name].lessons if lesson.name not in options]
            told = [await found.page.locator(f"#lessons {tag}").all_inner_texts() for tag in ("dt", "dd")]
            assert told == [[lesson.name for lesson in without], [lesson.teaches for lesson in without]]
            server.send_signal(signal.SIGKILL)
            server.wait()
            await found.says("#link", "no answer")
            await found.says("#since", "since ")
            with ServerProcess(name, tmp_path, *options):
                await found.says("#link", "live")
                await found.says("#fans output", "0")


@pytest.mark.slow
async def test_each_node_tells_whether_it_is_the_writer(tmp_path: Path) -> None:
    with ServerProcess("3", tmp_path, "--nodes", "2") as server:
        said = []
        for port in server.http_ports[:: STAGES["3"].parts.http_listeners]:
            async with lab(f"http://{server.host}:{port}") as found:
                await found.says("#whom", "Node ")
                said.append((await found.rows("Nodes"))[0]["writer"])
    assert sorted(said) == ["no", "yes"]
