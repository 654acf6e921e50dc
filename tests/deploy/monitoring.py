"""What `deploy/prometheus` and `deploy/grafana` ask, and what a server tells."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.shipped import DEPLOY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.stages.serving import ServerProcess

ALERTS: Final = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD: Final = json.loads((DEPLOY / "grafana" / "dashboards" / "matchstream.json").read_text())


def alert_rules() -> list[dict[str, Any]]:
    """Return the rules that are alerts, in their order."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


RECORDED: Final = [
    (rule["record"], rule["expr"])
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
"""What is recorded, under which name: one may be recorded twice, with other labels."""


def panels() -> Iterator[dict[str, Any]]:
    """Give the panels of the dashboard, without the headings between them."""
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def expressions_of_dashboard() -> list[str]:
    """Return what the dashboard asks."""
    return [target["expr"] for panel in panels() for target in panel.get("targets", ())]


def metrics_in(expressions: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the metrics that are looked at: those that a node tells, and those that are recorded."""
    text = " ".join(re.sub(r'"[^"]*"', "", expression) for expression in expressions)
    names = set(re.findall(r"\b(?:matchstream|process)[_:][\w:]+", text))
    return {name for name in names if ":" not in name}, {name for name in names if ":" in name}


async def told_by(server: ServerProcess) -> set[str]:
    """Return the names of all that a server's first node tells at `/metrics`: of metrics, and of their samples."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    return {family.name for family in families} | {sample.name for family in families for sample in family.samples}
