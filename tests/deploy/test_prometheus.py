"""`deploy/prometheus`: Prometheus takes it, each alert fires, and a real one finds out that a real node hangs."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import psutil
import pytest
import yaml

from common.tuning.children import command_that_dies_with_parent
from tests.deploy.monitoring import ALERTS, RECORDED, alert_rules, expressions_of_dashboard, metrics_in, told_by
from tests.deploy.shipped import DEPLOY
from tests.needs import needs
from tests.stages.front import HOST, free_ports, serves
from tests.stages.serving import ServerProcess
from tests.stages.stage3.nodes import nodes_below
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SHIPPED: Final = DEPLOY / "prometheus"
CASES: Final = DEPLOY.parent / "tests" / "deploy" / "alerts.test.yml"
RUNBOOK: Final = (DEPLOY / "RUNBOOK.md").read_text()
WATCHED: Final = RUNBOOK.partition("\n## During the match\n")[2].partition("\n## ")[0]
LINES: Final = re.findall(r"^\| (.+?) \|", WATCHED, re.MULTILINE)[1:]
"""What begins each line of the table, without its heading; one of only hyphens has no space in it."""
needs_promtool: Final = needs("promtool", "prometheus")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ("--nodes", "2", "--workers", "1", "--browser-port", "0")
    with ServerProcess("4", tmp_path_factory.mktemp("server"), *options) as server:
        yield server


@needs_promtool
@pytest.mark.parametrize("words", [("check", "config", SHIPPED / "prometheus.yml"), ("test", "rules", CASES)], ids=str)
def test_prometheus_takes_it_and_alerts_fire_when_they_should(words: tuple[str, str, Path]) -> None:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
    assert "FAILED" not in done.stdout


def test_each_alert_is_made_to_fire() -> None:
    fired = {
        name
        for group in yaml.safe_load(CASES.read_text())["tests"]
        for case in group["promql_expr_test"]
        for sample in case["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == {rule["alert"] for rule in alert_rules()}


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_line(rule: dict[str, Any]) -> None:
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert rule["annotations"]["runbook"] in LINES
    assert rule["labels"]["severity"] in {"page", "look"}


def test_each_line_that_metrics_tell_has_its_alert() -> None:
    led_to = {rule["annotations"]["runbook"] for rule in alert_rules()}
    assert [line for line in LINES if line not in led_to and "nstat" not in line] == []


async def test_all_that_rules_and_dashboard_look_at_is_told(server: ServerProcess) -> None:
    rules = [*(rule["expr"] for rule in alert_rules()), *(expression for _, expression in RECORDED)]
    left, recorded = metrics_in([*rules, *expressions_of_dashboard()])
    assert len(left) > 20
    assert recorded == {name for name, _ in RECORDED}

    async def are_told() -> bool:
        """Look again: how late the event loop is, is measured only while somebody looks."""
        left.difference_update(await told_by(server))
        return not left

    await eventually(are_told, f"all metrics are told: {left}")


def test_nodes_are_where_the_runbook_has_them() -> None:
    (nodes,) = yaml.safe_load((SHIPPED / "nodes.yml").read_text())
    ports = re.search(r"\(ports ([\d, ]+)\)", WATCHED)
    assert ports is not None
    assert nodes["targets"] == [f"127.0.0.1:{port}" for port in ports[1].split(", ")]


class Prometheus:
    """One that serves, and what it says."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def firing(self) -> set[tuple[str, str]]:
        """Return the names of alerts that fire, each with the target that it is about, if it is about one."""
        alerts = (await self._ask("alerts"))["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("instance", ""))
            for alert in alerts
            if alert["state"] == "firing"
        }

    async def up(self) -> dict[str, str]:
        """Return of each target whether it tells."""
        return {one["metric"]["instance"]: one["value"][1] for one in await self.query("up")}

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression has now; fail if Prometheus does not take it."""
        found: list[dict[str, Any]] = (await self._ask("query", query=expression))["result"]
        return found

    async def _ask(self, what: str, **about: str) -> dict[str, Any]:
        async with self._session.get(f"/api/v1/{what}", params=about) as answer:
            said = await answer.json()
        assert said["status"] == "success", said
        data: dict[str, Any] = said["data"]
        return data


@asynccontextmanager
async def prometheus(directory: Path, targets: list[str]) -> AsyncIterator[Prometheus]:
    """Run one with the files of `deploy/prometheus`, but for the targets and for times, which are a second."""
    shutil.copytree(SHIPPED, directory / "etc")
    (directory / "etc" / "nodes.yml").write_text(yaml.safe_dump([{"targets": targets}]))
    config = directory / "etc" / "prometheus.yml"
    text, times = re.subn(r"(_interval|_timeout): \ds", r"\1: 1s", config.read_text())
    assert times == 3
    config.write_text(text)
    text, waits = re.subn(r"( +for): \d+\w", r"\1: 1s", ALERTS.read_text())
    assert waits > 3
    (directory / "etc" / ALERTS.name).write_text(text)
    with free_ports(1) as (port,):
        options = (f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}", "--log.level=warn")
        process = await asyncio.create_subprocess_exec(
            *command_that_dies_with_parent(
                ["prometheus", *options, f"--web.listen-address={HOST}:{port}"], signal.SIGTERM
            )
        )
        try:
            await eventually(lambda: serves(process, port), "Prometheus serves")
            async with aiohttp.ClientSession(
                f"http://{HOST}:{port}", timeout=aiohttp.ClientTimeout(DEADLINE_S)
            ) as session:

                async def is_ready() -> bool:
                    async with session.get("/-/ready") as answer:
                        return answer.status == 200

                await eventually(is_ready, "Prometheus has read what it kept")
                yield Prometheus(session)
        finally:
            process.terminate()
            async with asyncio.timeout(DEADLINE_S):
                assert await process.wait() == 0


@pytest.mark.slow
@needs("prometheus", "prometheus")
async def test_a_real_prometheus_finds_out_that_a_node_hangs(server: ServerProcess, tmp_path: Path) -> None:
    first_ports = server.http_ports[:: len(server.http_ports) // 2]
    targets = [f"{HOST}:{port}" for port in first_ports]
    hangs = ("NodeAway", targets[1])
    nodes = nodes_below(server.pid)
    node = psutil.Process(nodes[max(nodes)])
    async with prometheus(tmp_path, targets) as watching:

        async def all_tell() -> bool:
            return await watching.up() == dict.fromkeys(targets, "1")

        async def is_found() -> bool:
            return hangs in await watching.firing()

        async def is_well_again() -> bool:
            return hangs not in await watching.firing()

        await eventually(all_tell, "both nodes tell")
        assert not await is_found()
        for expression in expressions_of_dashboard():
            await watching.query(expression)
        node.suspend()
        try:
            await eventually(is_found, "the alert fires")
            assert ("NodeAway", targets[0]) not in await watching.firing()
        finally:
            node.resume()
        await eventually(is_well_again, "the alert ends")
