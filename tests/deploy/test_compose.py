"""`deploy/compose.yaml` fits the server, nginx and Prometheus, as far as can be told without running it."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

import pytest
import yaml

from common.durations import parse_duration
from stages.stage3.node_process import STOP_S
from tests.deploy.serve_settings import CONTAINERFILE, IMAGE, VERSION, is_pinned, ports, settings
from tests.deploy.shipped import DEPLOY
from tests.printed_commands import words_of
from tests.stages.behind_nginx import printed

TEXT: Final = (DEPLOY / "compose.yaml").read_text()
COMPOSE: Final = yaml.safe_load(TEXT)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
NODES: Final = {name: service for name, service in SERVICES.items() if name.startswith("node-")}
OTHERS_NEED_S: Final = 5.0


def address(service: dict[str, Any]) -> str:
    found: str = service["networks"]["default"]["ipv4_address"]
    return found


def test_three_nodes_are_the_image_of_this_version() -> None:
    version = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["version"]
    assert version == VERSION
    assert {service["image"] for service in NODES.values()} == {f"{IMAGE}:{version}"}
    assert len({address(service) for service in NODES.values()}) == len(NODES) == 3
    assert f"-t {IMAGE}:{version} " in CONTAINERFILE


@pytest.mark.parametrize("name", NODES)
def test_a_node_serves_with_its_variables(name: str) -> None:
    node = NODES[name]
    found = settings(node["environment"])
    assert (found["stage"], found["nodes"], found["redis"]) == ("4", 1, "redis://valkey:6379/0")
    grace_s, stop_s = (parse_duration(each) for each in (found["grace"], node["stop_grace_period"]))
    assert stop_s >= grace_s + STOP_S + OTHERS_NEED_S
    assert node["read_only"]
    assert node["cap_drop"] == ["ALL"]


def test_nginx_has_what_matchstream_nginx_prints() -> None:
    made = re.search(r"# Made by: (matchstream nginx (?:.*\n +#  .*)+)", TEXT)
    assert made is not None
    program, command, *options = words_of(re.sub(r"\n +#", " ", made[1]))
    assert (program, command) == ("matchstream", "nginx")
    assert (DEPLOY / "compose" / "nginx.conf").read_text() == printed(*options)
    assert sorted(options[options.index("--fans") :]) == sorted(
        word
        for service in NODES.values()
        for who, (first, last) in ports(settings(service["environment"])).items()
        for word in (f"--{who}", f"{address(service)}:{first}" + ("" if first == last else f"-{last}"))
    )


def test_prometheus_asks_the_nodes() -> None:
    (nodes,) = yaml.safe_load((DEPLOY / "compose" / "nodes.yml").read_text())
    assert nodes["targets"] == [
        f"{address(service)}:{ports(settings(service['environment']))['http'][0]}" for service in NODES.values()
    ]
    assert SERVICES["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"


def test_what_is_mounted_and_built_is_there() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), mount
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
            assert build["context"] == ".." or not build["dockerfile"].startswith("deploy/")


def test_every_image_is_pinned_and_no_secret_stands_in_it() -> None:
    bases = [
        base
        for file in DEPLOY.rglob("*Containerfile")
        for base in re.findall(r"^ARG BASE=(.*)", file.read_text(), re.MULTILINE)
    ]
    assert len(bases) == 2
    assert [image for image in [*bases, *(one["image"] for one in SERVICES.values())] if not is_pinned(image)] == []
    secrets = re.findall(r"(?:TOKEN|PASSWORD): (.*)", TEXT)
    assert len(secrets) == 2
    assert all(secret.startswith("${") and ":?" in secret for secret in secrets)
