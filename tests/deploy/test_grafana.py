"""`deploy/grafana`: what a Grafana would read, as far as it can be told without one."""

from __future__ import annotations

import subprocess
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.deploy.monitoring import DASHBOARD, expressions_of_dashboard, panels
from tests.deploy.shipped import DEPLOY
from tests.needs import needs

if TYPE_CHECKING:
    from pathlib import Path

PROVISIONING: Final = DEPLOY / "grafana" / "provisioning"
QUESTIONS: Final = [
    "Are all fans served?",
    "How late are they?",
    "What bounds first?",
    "How long until it is full?",
]
_WIDTH: Final = 24


def test_the_dashboard_answers_the_questions_in_their_order() -> None:
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == QUESTIONS


def test_all_is_asked_of_the_source_that_is_provisioned() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    asked = [panel["datasource"] for panel in panels()]
    asked += [target["datasource"] for panel in panels() for target in panel.get("targets", ())]
    assert {(each["type"], each["uid"]) for each in asked} == {(source["type"], source["uid"])}


def test_dashboards_are_where_they_are_looked_for() -> None:
    """The dashboard's directory stands in /etc/grafana beside what names it, as it does here."""
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "matchstream.yml").read_text())["providers"]
    assert provider["options"]["path"].removeprefix("/etc/grafana/") == "dashboards"
    assert (PROVISIONING.parent / "dashboards" / "matchstream.json").exists()


def test_no_panel_hides_another_and_each_has_a_number() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for one, other in combinations([panel["gridPos"] for panel in DASHBOARD["panels"]], 2):
        assert not (_overlap(one, other, "x", "w") and _overlap(one, other, "y", "h"))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= _WIDTH for panel in DASHBOARD["panels"])


def _overlap(one: dict[str, int], other: dict[str, int], begin: str, length: str) -> bool:
    return one[begin] < other[begin] + other[length] and other[begin] < one[begin] + one[length]


@needs("promtool", "prometheus")
@pytest.mark.parametrize("broken", [False, True])
def test_prometheus_takes_what_the_dashboard_asks(tmp_path: Path, *, broken: bool) -> None:
    asked = [*expressions_of_dashboard(), *(["sum("] if broken else [])]
    rules: list[dict[str, Any]] = [{"record": f"asked:{number}", "expr": one} for number, one in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is not broken, done.stdout + done.stderr
