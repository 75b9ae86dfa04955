"""The Kubernetes manifests render, fit the schemas of Kubernetes, and keep the rules for pods."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.egress import addresses

validator = pytest.importorskip("kubernetes_validate", reason="group `deploy` is not installed")
pytestmark = pytest.mark.deploy

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
BASE, SINGLE_NODE = K8S / "base", K8S / "overlays" / "single-node"
SERVICES = ["identity", "workflows", "executor", "billing", "audit", "gateway", "subscriptions"]
WITH_PODS = {"Deployment", "StatefulSet", "Job"}
VERSIONS = ("1.31", "1.37")  # the oldest and the newest that is checked


@cache
def rendered(folder: Path) -> list[dict[str, Any]]:
    beside_python = Path(sys.executable).with_name("kubectl")
    kubectl = str(beside_python) if beside_python.exists() else shutil.which("kubectl")
    assert kubectl, "install the group `deploy`, or put kubectl on PATH"
    text = subprocess.run(
        [kubectl, "kustomize", folder], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    return list(yaml.safe_load_all(text))


def of_kind(folder: Path, *kinds: str) -> list[dict[str, Any]]:
    return [thing for thing in rendered(folder) if thing["kind"] in kinds]


def named(folder: Path, kind: str, name: str) -> dict[str, Any]:
    return next(thing for thing in of_kind(folder, kind) if thing["metadata"]["name"] == name)


def policies_of(folder: Path, labels: dict[str, str]) -> list[dict[str, Any]]:
    policies = (policy["spec"] for policy in of_kind(folder, "NetworkPolicy"))
    return [policy for policy in policies if selects(policy["podSelector"], labels)]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )


both = pytest.mark.parametrize("folder", [BASE, SINGLE_NODE], ids=lambda folder: folder.name)


@both
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_its_schema_without_unknown_fields(folder, version):
    for thing in rendered(folder):
        validator.validate(thing, version, strict=True)


def test_the_check_finds_a_misspelt_field():
    thing = named(BASE, "Deployment", "troth-gateway")
    broken = {**thing, "spec": {**thing["spec"], "replica": 1}}

    with pytest.raises(validator.ValidationError):
        validator.validate(broken, VERSIONS[0], strict=True)


@both
def test_no_object_names_a_namespace_or_comes_twice(folder):
    things = [(thing["kind"], thing["metadata"]["name"]) for thing in rendered(folder)]

    assert len(things) == len(set(things))
    assert not any("namespace" in thing["metadata"] for thing in rendered(folder))


@both
def test_every_service_has_a_deployment_that_serves_it(folder):
    served = {
        thing["metadata"]["name"]: containers(thing)[0]["args"]
        for thing in of_kind(folder, "Deployment")
    }

    assert served == {f"troth-{service}": ["serve", service] for service in SERVICES}
    assert containers(named(folder, "Job", "troth-migrate"))[0]["args"] == ["migrate"]


@both
def test_every_pod_keeps_the_restricted_standard(folder):
    for thing in of_kind(folder, *WITH_PODS):
        pod = thing["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))
        for container in containers(thing):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@both
def test_every_container_is_bounded_and_its_image_has_a_version(folder):
    for thing in of_kind(folder, *WITH_PODS):
        for container in containers(thing):
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            assert container["image"].partition(":")[2] not in ("", "latest")


@both
def test_every_server_has_probes_and_those_of_services_use_the_operations_port(folder):
    for thing in of_kind(folder, "Deployment", "StatefulSet"):
        for container in containers(thing):
            assert {"livenessProbe", "readinessProbe"} <= container.keys()
    for thing in of_kind(folder, "Deployment"):
        container = containers(thing)[0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert str(ports["ops"]) == settings(folder)["TROTH_OPS_PORT"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "ops"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "ops"}


@both
def test_every_pod_is_closed_in_both_directions_by_a_network_policy(folder):
    for thing in of_kind(folder, *WITH_PODS):
        directions = {
            direction
            for policy in policies_of(folder, pod_labels(thing))
            for direction in policy["policyTypes"]
        }
        assert directions == {"Ingress", "Egress"}, thing["metadata"]["name"]


@both
def test_only_the_gateway_is_entered(folder):
    entered = {
        pod_labels(thing)["app.kubernetes.io/component"]
        for thing in of_kind(folder, "Deployment", "Job")
        if any(policy.get("ingress") for policy in policies_of(folder, pod_labels(thing)))
    }

    assert entered == {"gateway"}


@both
def test_only_those_with_business_outside_reach_the_internet(folder):
    out = {
        pod_labels(thing)["app.kubernetes.io/component"]
        for thing in of_kind(folder, "Deployment", "Job")
        for policy in policies_of(folder, pod_labels(thing))
        for rule in policy.get("egress", [])
        if {"0.0.0.0/0", "2000::/3"} & {to.get("ipBlock", {}).get("cidr") for to in rule["to"]}
    }

    assert out == {"executor", "subscriptions", "identity", "audit"}


def test_the_internet_is_the_same_for_the_network_as_for_the_guard():
    (rule,) = named(BASE, "NetworkPolicy", "troth-internet")["spec"]["egress"]
    v4, v6 = (peer["ipBlock"] for peer in rule["to"])

    assert {port["port"] for port in rule["ports"]} == {80, 443}
    assert sorted(v4["except"]) == sorted(map(str, addresses.NOT_PUBLIC_V4))
    assert v6["cidr"] == str(addresses.GLOBAL_UNICAST_V6)
    assert sorted(v6["except"]) == sorted(map(str, addresses.NOT_PUBLIC_V6))


@both
def test_nats_postgresql_and_names_are_all_that_everybody_reaches(folder):
    for thing in of_kind(folder, "Deployment", "Job"):
        reached = {
            port["port"]
            for policy in policies_of(folder, pod_labels(thing))
            for rule in policy.get("egress", [])
            for port in rule["ports"]
        }
        assert {4222, 5432, 53} <= reached <= {4222, 5432, 53, 80, 443}


@both
def test_each_service_gets_its_own_secret_and_no_other(folder):
    for thing in of_kind(folder, "Deployment", "Job"):
        sources = containers(thing)[0]["envFrom"]
        secrets = [source["secretRef"]["name"] for source in sources if "secretRef" in source]
        assert secrets == [thing["metadata"]["name"]]


@both
def test_a_drain_takes_one_gateway_and_one_executor_at_a_time(folder):
    budgets = {
        thing["metadata"]["name"]: thing["spec"]["maxUnavailable"]
        for thing in of_kind(folder, "PodDisruptionBudget")
    }

    assert budgets == {"troth-gateway": 1, "troth-executor": 1}


def test_the_gateways_service_leads_to_its_pods():
    service = named(BASE, "Service", "troth-gateway")["spec"]
    gateway = named(BASE, "Deployment", "troth-gateway")
    ports = {port["name"]: port["containerPort"] for port in containers(gateway)[0]["ports"]}

    assert service["selector"].items() <= pod_labels(gateway).items()
    assert str(ports[service["ports"][0]["targetPort"]]) == settings(BASE)["TROTH_HTTP_PORT"]


def test_on_a_single_node_everything_runs_once_and_servers_keep_their_data():
    for thing in of_kind(SINGLE_NODE, "Deployment", "StatefulSet"):
        assert thing["spec"]["replicas"] == 1
    for server in of_kind(SINGLE_NODE, "StatefulSet"):
        assert server["spec"]["volumeClaimTemplates"]
    servers = {thing["metadata"]["name"] for thing in of_kind(SINGLE_NODE, "StatefulSet")}
    assert servers == {"nats", "postgres"}
    assert of_kind(BASE, "StatefulSet") == []


def containers(thing: dict[str, Any]) -> list[dict[str, Any]]:
    pod = thing["spec"]["template"]["spec"]
    return pod["containers"] + pod.get("initContainers", [])


def pod_labels(thing: dict[str, Any]) -> dict[str, str]:
    return thing["spec"]["template"]["metadata"]["labels"]


def settings(folder: Path) -> dict[str, str]:
    maps = of_kind(folder, "ConfigMap")
    return next(
        found["data"] for found in maps if found["metadata"]["name"].startswith("troth-settings")
    )
