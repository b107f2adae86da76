"""The manifests fit the code: its settings, health names, version and topics, and how long it takes to stop."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from chassis.bus.brokers import Protocol
from chassis.rpc.server import LIVENESS, READINESS
from chassis.settings import ChassisSettings, load
from deploy.kubernetes import topics
from deploy.kubernetes.render import BASE, folders
from tests.contract.source_tree import ROOT, services
from tests.support.manifests import Container, Rendered, Workload
from tests.support.secure.certificates import Authority

VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
OVERLAYS = BASE.parent / "overlays"
FLUSH = timedelta(seconds=15)
RESTRICTED_POD = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def base() -> Rendered:
    return Rendered.of(BASE)


def example() -> Rendered:
    return Rendered.of(OVERLAYS / "example")


def deployments() -> list[Workload]:
    return [workload for workload in base().workloads if workload.kind == "Deployment"]


def settings_of(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, files: Path, where: Rendered | None = None
) -> Iterator[BaseSettings]:
    """Every settings class of a process, loaded from what its container is told. Files that it names are made."""
    for name, value in (where or base()).environment(workload).items():
        if name.endswith("_CA_FILE"):
            value = str(Authority(files, name).ca_file)
        elif name.endswith("_FILE"):
            (files / name).write_text("a file")
            value = str(files / name)
        monkeypatch.setenv(name, value)
    yield load(ChassisSettings)
    module = import_module(f"services.{workload.service}.settings")
    yield from (load(found) for found in vars(module).values() if own_settings(found, module.__name__))


def own_settings(found: object, module: str) -> bool:
    return isinstance(found, type) and issubclass(found, BaseSettings) and found.__module__ == module


def test_topics_are_what_the_catalogue_says() -> None:
    assert topics.FILE.read_text() == topics.manifests()


def test_every_service_has_its_roles_and_its_migration() -> None:
    wanted = {f"{service}-{what}" for service in services() for what in ("grpc", "events", f"migrate-{slug()}")}
    assert {workload.name for workload in base().workloads} == wanted


def slug() -> str:
    return VERSION.replace(".", "-")


def test_every_image_is_this_version() -> None:
    assert {workload.container["image"] for workload in base().workloads} == {f"preceptor:{VERSION}"}


@pytest.mark.parametrize("workload", base().workloads, ids=str)
def test_what_a_process_is_told_are_its_settings(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert len(list(settings_of(workload, monkeypatch, tmp_path))) == 2


@pytest.mark.parametrize("workload", deployments(), ids=str)
def test_a_stop_has_the_time_that_the_process_takes(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = next(settings_of(workload, monkeypatch, tmp_path))
    assert isinstance(settings, ChassisSettings)
    given = timedelta(seconds=workload.number("terminationGracePeriodSeconds"))
    assert given >= settings.drain + settings.grace + FLUSH


@pytest.mark.parametrize("workload", deployments(), ids=str)
def test_probes_ask_where_and_what_the_process_answers(workload: Workload) -> None:
    environment = base().environment(workload)
    listens = environment["PRECEPTOR_HEALTH_LISTEN" if workload.name.endswith("events") else "PRECEPTOR_GRPC_LISTEN"]
    port = int(listens.rpartition(":")[2])
    asked = {name: workload.container[f"{name}Probe"]["grpc"] for name in ("startup", "readiness", "liveness")}
    assert asked == {
        "startup": {"port": port, "service": READINESS},
        "readiness": {"port": port, "service": READINESS},
        "liveness": {"port": port, "service": LIVENESS},
    }


@pytest.mark.parametrize("workload", base().workloads, ids=str)
def test_pods_are_restricted_and_cannot_speak_to_the_api_server(workload: Workload) -> None:
    assert workload.pod["securityContext"].items() >= RESTRICTED_POD.items()
    assert workload.container["securityContext"].items() >= RESTRICTED.items()
    assert workload.pod["automountServiceAccountToken"] is False
    # Unknown settings stop a process, and these variables look like settings.
    assert workload.pod["enableServiceLinks"] is False


@pytest.mark.parametrize("workload", example().workloads, ids=str)
def test_the_example_speaks_by_tls_as_each_service_s_own_user(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = next(settings_of(workload, monkeypatch, tmp_path, example()))

    assert isinstance(settings, ChassisSettings)
    assert settings.kafka.security_protocol == Protocol.SASL_SSL
    assert settings.kafka.sasl_username == f"{workload.service}-kafka"
    assert "sslmode=verify-full" in settings.database_url.get_secret_value()


@pytest.mark.parametrize("where", [base(), example()], ids=["base", "example"])
def test_every_named_file_is_on_a_mount(where: Rendered) -> None:
    for workload in where.workloads:
        files = [value for name, value in where.environment(workload).items() if name.endswith("_FILE")]
        mounts = [mount["mountPath"] for mount in workload.container["volumeMounts"]]
        assert [file for file in files if not any(file.startswith(f"{mount}/") for mount in mounts)] == []


@pytest.mark.parametrize("workload", base().workloads, ids=str)
def test_every_reference_is_there(workload: Workload) -> None:
    assert base().references(workload) <= {*base().names("ConfigMap"), *made_elsewhere(workload.service)}


def made_elsewhere(service: str) -> set[str]:
    return {"token-keys", f"{service}-database", f"{service}-administrator", f"{service}-keys"}


def test_the_administrators_secret_reaches_the_migration_alone() -> None:
    told = {w.name for w in base().workloads if f"{w.service}-administrator" in base().references(w)}
    assert told == {f"{service}-migrate-{slug()}" for service in services()}


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_no_manifest_carries_a_secret(folder: Path) -> None:
    assert list(Rendered.of(folder).names("Secret")) == []


@pytest.mark.parametrize("kind", ["Service", "NetworkPolicy", "PodDisruptionBudget"])
def test_every_selector_selects_a_pod(kind: str) -> None:
    assert [name for name, selector in base().selectors(kind) if not any(map(selector, base().workloads))] == []


def test_topics_of_the_manifests_are_those_that_a_migration_would_make() -> None:
    common = base().environment(base().workloads[0])
    made = (int(common["PRECEPTOR_KAFKA_PARTITIONS"]), int(common["PRECEPTOR_KAFKA_REPLICATION"]))
    assert made == (topics.PARTITIONS, topics.REPLICAS)


def test_memory_is_asked_for_as_it_is_limited() -> None:
    def fixed(container: Container) -> bool:
        resources = container["resources"]
        return bool(resources["requests"]["memory"] == resources["limits"]["memory"])

    assert all(fixed(workload.container) for workload in base().workloads)


@pytest.mark.parametrize("workload", deployments(), ids=str)
def test_metrics_are_asked_for_where_the_process_tells_them(workload: Workload) -> None:
    port = base().environment(workload)["PRECEPTOR_METRICS_LISTEN"].rpartition(":")[2]
    assert {"name": "metrics", "containerPort": int(port)} in workload.container["ports"]
    assert workload.pod_annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": port,
        "prometheus.io/path": "/metrics",
    }


def test_whoever_watches_is_let_in_to_metrics_alone_and_to_no_migration() -> None:
    [policy] = [o for o in base().objects if o["kind"] == "NetworkPolicy" and o["metadata"]["name"] == "metrics"]
    port = int(base().environment(deployments()[0])["PRECEPTOR_METRICS_LISTEN"].rpartition(":")[2])
    [rule] = policy["spec"]["ingress"]
    assert rule["ports"] == [{"port": port, "protocol": "TCP"}]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    selected = dict(base().selectors("NetworkPolicy"))["metrics"]
    assert {w.name for w in base().workloads if selected(w)} == {w.name for w in deployments()}
