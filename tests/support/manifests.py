"""Rendered manifests as the tests look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from deploy.kubernetes.render import render

# What a manifest holds at a place is the API's to say: the schemas check it.
Container = Mapping[str, Any]
DATABASE_URL = "postgresql://role:password@host/database"


@dataclass(frozen=True)
class Workload:
    """A Deployment or a Job."""

    kind: str
    name: str
    pod_labels: Mapping[str, str]
    pod: Mapping[str, Any]
    pod_annotations: Mapping[str, str]

    def __str__(self) -> str:
        return self.name

    @property
    def service(self) -> str:
        """Whose it is."""
        return self.pod_labels["app.kubernetes.io/name"]

    @property
    def container(self) -> Container:
        """Its only container."""
        (container,) = self.pod["containers"]
        return container  # type: ignore[no-any-return]

    def number(self, field: str) -> int:
        """A number of the pod's."""
        return int(self.pod[field])


@dataclass(frozen=True)
class Rendered:
    """All objects of a folder."""

    objects: tuple[Mapping[str, Any], ...]

    @staticmethod
    @cache
    def of(folder: Path) -> Rendered:
        """Renders a folder, once."""
        return Rendered(tuple(render(folder)))

    @property
    def workloads(self) -> list[Workload]:
        """Everything that runs."""
        return [
            Workload(
                o["kind"],
                o["metadata"]["name"],
                template["metadata"]["labels"],
                template["spec"],
                template["metadata"].get("annotations", {}),
            )
            for o in self.objects
            if (template := o.get("spec", {}).get("template"))
        ]

    def names(self, kind: str) -> Iterator[str]:
        """The names of one kind's objects."""
        return (o["metadata"]["name"] for o in self.objects if o["kind"] == kind)

    def environment(self, workload: Workload) -> dict[str, str]:
        """What the container is told; Secrets are taken to hold database URLs, as those of the environment do."""
        maps = {o["metadata"]["name"]: o.get("data") or {} for o in self.objects if o["kind"] == "ConfigMap"}
        told: dict[str, str] = {}
        for source in workload.container["envFrom"]:
            told |= maps[source["configMapRef"]["name"]]
        for variable in workload.container["env"]:
            told[variable["name"]] = variable.get("value", DATABASE_URL)
        return told

    def references(self, workload: Workload) -> set[str]:
        """The ConfigMaps and Secrets that a pod cannot start without."""
        container, volumes = workload.container, workload.pod["volumes"]
        maps = {source["configMapRef"]["name"] for source in container["envFrom"]}
        secrets = {v["valueFrom"]["secretKeyRef"]["name"] for v in container["env"] if "secretKeyRef" in _from(v)}
        sources = [v[kind] for v in volumes for kind in ("secret", "configMap") if kind in v]
        files = {source.get("secretName", source.get("name")) for source in sources if not source.get("optional")}
        return maps | secrets | files

    def selectors(self, kind: str) -> Iterator[tuple[str, Callable[[Workload], bool]]]:
        """Each object of a kind that selects pods, with what it selects."""
        for o in self.objects:
            if o["kind"] == kind:
                spec = o["spec"]
                selector = spec.get("podSelector", spec.get("selector"))
                yield o["metadata"]["name"], _selects({"matchLabels": selector} if kind == "Service" else selector)


def _from(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    return variable.get("valueFrom", {})  # type: ignore[no-any-return]


def _selects(selector: Mapping[str, Any]) -> Callable[[Workload], bool]:
    labels, expressions = selector.get("matchLabels", {}), selector.get("matchExpressions", [])

    def selects(workload: Workload) -> bool:
        has = workload.pod_labels
        return labels.items() <= has.items() and all(has.get(e["key"]) in e["values"] for e in expressions)

    return selects
