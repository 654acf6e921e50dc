"""`deploy/kubernetes` fits the server, as far as can be told without a cluster."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml

from common.durations import parse_duration
from common.http.operations import ALIVE, READY
from common.http.token import TOKEN_VARIABLE
from stages.stage3.node_process import STOP_S
from tests.deploy.serve_settings import IMAGE, VERSION, is_pinned, ports, settings
from tests.deploy.shipped import DEPLOY

FILES: Final = DEPLOY / "kubernetes"
PLAN: Final = yaml.safe_load((FILES / "kustomization.yaml").read_text())
EVERY: Final[list[dict[str, Any]]] = [
    each for name in PLAN["resources"] for each in yaml.safe_load_all((FILES / name).read_text())
]
OTHERS_NEED_S: Final = 5.0


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in EVERY if each["kind"] == kind}


NODES: Final = of_kind("Deployment")[IMAGE]["spec"]
POD: Final = NODES["template"]["spec"]
(NODE,) = POD["containers"]
PODS: Final = [each["spec"]["template"]["spec"] for each in EVERY if each["kind"] in {"Deployment", "StatefulSet"}]
LABELS: Final = {
    name: each["spec"]["template"]["metadata"]["labels"]
    for kind in ("Deployment", "StatefulSet")
    for name, each in of_kind(kind).items()
}


def node_settings() -> dict[str, Any]:
    return settings({each["name"]: each.get("value", "from-a-secret") for each in NODE["env"]})


def test_every_file_is_applied() -> None:
    assert {file.name for file in FILES.iterdir()} == {"kustomization.yaml", *PLAN["resources"]}


def test_a_node_serves_with_its_variables_and_workers_have_a_processor_each() -> None:
    found = node_settings()
    (service,) = re.findall(r"redis://([\w-]+):6379/0", found["redis"])
    assert service in of_kind("Service")
    assert (found["stage"], found["nodes"]) == ("4", 1)
    assert found["workers"] == int(NODE["resources"]["requests"]["cpu"])


def test_no_service_is_taken_for_a_setting() -> None:
    """Kubernetes sets NAME_PORT for each Service, and more: MATCHSTREAM_PORT would be one of ours."""
    assert all(pod["enableServiceLinks"] is False for pod in PODS)


def test_ports_are_where_the_node_has_them() -> None:
    expected = ports(node_settings())
    named = {port["name"]: port["containerPort"] for port in NODE["ports"]}
    assert named == {"fans": expected["fans"][0], "api": expected["http"][0], "browsers": expected["browsers"][0]}


@pytest.mark.parametrize("name", of_kind("Service"))
def test_a_service_leads_to_a_port_of_its_pods(name: str) -> None:
    spec = of_kind("Service")[name]["spec"]
    (whose,) = (owner for owner, labels in LABELS.items() if labels == spec["selector"])
    owner = (of_kind("Deployment") | of_kind("StatefulSet"))[whose]
    (container,) = owner["spec"]["template"]["spec"]["containers"]
    assert {port["targetPort"] for port in spec["ports"]} <= {port["name"] for port in container["ports"]}


def test_it_is_ready_when_it_says_so_and_alive_while_it_answers() -> None:
    assert NODE["readinessProbe"]["httpGet"] == {"path": READY.path, "port": "api"}
    for probe in ("startupProbe", "livenessProbe"):
        assert NODE[probe]["httpGet"] == {"path": ALIVE.path, "port": "api"}


def test_fans_are_let_go_before_it_is_killed() -> None:
    program, pause_s = NODE["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    grace_s = parse_duration(node_settings()["grace"])
    assert POD["terminationGracePeriodSeconds"] >= float(pause_s) + grace_s + STOP_S + OTHERS_NEED_S


def test_one_node_may_go_and_no_more() -> None:
    budget = of_kind("PodDisruptionBudget")[IMAGE]["spec"]
    assert budget["maxUnavailable"] == 1 < NODES["replicas"]
    spread = POD["topologySpreadConstraints"][0]["labelSelector"]
    assert budget["selector"] == NODES["selector"] == spread == {"matchLabels": LABELS[IMAGE]}


@pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod["containers"][0]["name"])
def test_it_has_no_rights(pod: dict[str, Any]) -> None:
    """What `restricted` asks for (Pod Security Standards), which the namespace enforces; and a read-only root."""
    assert of_kind("Namespace")[PLAN["namespace"]]["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_token_is_a_secret_that_is_made_by_hand() -> None:
    (token,) = (each for each in NODE["env"] if each["name"] == TOKEN_VARIABLE)
    wanted = token["valueFrom"]["secretKeyRef"]
    assert not of_kind("Secret")
    head = (FILES / "kustomization.yaml").read_text()
    assert f"create secret generic {wanted['name']} --from-literal={wanted['key']}=" in head


def test_every_image_is_pinned() -> None:
    (ours,) = PLAN["images"]
    assert (ours["name"], ours["newTag"]) == (IMAGE, VERSION)
    images = [container["image"] for pod in PODS for container in pod["containers"]]
    assert [image for image in images if image != IMAGE and not is_pinned(image)] == []
