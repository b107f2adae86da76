"""Holds manifests to Kubernetes' own schemas, where a misspelt field is an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubernetes_validate.utils import SchemaNotFoundError, ValidationError, validate

from deploy.kubernetes.render import Manifest

RELEASES = ("1.32", "1.37")
"""The oldest and the newest release of Kubernetes that the manifests are for."""

# Kinds that an operator adds have no schema there. Ours are written from the catalogue, never by hand.
_WRITTEN = {"kafka.strimzi.io/v1"}


def misfits(objects: Iterable[Manifest]) -> list[str]:
    """What does not fit, one line each."""
    core = [manifest for manifest in objects if manifest["apiVersion"] not in _WRITTEN]
    return [fault for manifest in core for release in RELEASES for fault in _faults(manifest, release)]


def _faults(manifest: Manifest, release: str) -> Iterator[str]:
    metadata = manifest["metadata"]
    assert isinstance(metadata, dict)
    what = f"{manifest['kind']} {metadata['name']}, Kubernetes {release}"
    try:
        validate(manifest, release, strict=True)
    except ValidationError as error:
        yield f"{what}: {'.'.join(map(str, error.path))}: {error.message}"
    except SchemaNotFoundError as error:
        yield f"{what}: {error.message}"
