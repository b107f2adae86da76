"""`make images` builds the image of the services, and PostgreSQL and Apache Kafka for tests, on any Docker engine."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import docker
from docker.errors import BuildError, DockerException
from rich.console import Console

from deploy.images import KAFKA, POSTGRES
from deploy.images.base import BaseImageError, base_image
from deploy.images.contexts import kafka_context, postgres_context, scratch, take_ca_bundle
from deploy.local.kafka_jars import JarsUnavailableError
from deploy.local.paths import ROOT

_console = Console(highlight=False)
# Others than the defaults of the Dockerfile, where a site has its own.
_FROM_ENVIRONMENT = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def main() -> None:
    """Builds all three. Exits with 1 and the reason if one cannot be built."""
    try:
        _build_all()
    except BuildError as error:
        lines = "".join(str(line.get("stream", "")) for line in error.build_log if isinstance(line, dict))
        raise SystemExit(f"{lines}\n{error}") from None
    except (DockerException, BaseImageError, JarsUnavailableError) as error:
        raise SystemExit(f"No images: {error}") from None


def _build_all() -> None:
    client = docker.from_env(timeout=1800)
    client.ping()
    base = os.environ.get("BASE_IMAGE") or base_image(client, _tell)
    arguments = {"BASE_IMAGE": base, **{name: os.environ[name] for name in _FROM_ENVIRONMENT if name in os.environ}}
    take_ca_bundle()
    _build(client, ROOT, f"preceptor:{version('preceptor')}", arguments, "deploy/images/Dockerfile")
    _build_from(client, POSTGRES, arguments, postgres_context)
    _build_from(client, KAFKA, arguments, lambda folder: asyncio.run(kafka_context(folder)))


def _build_from(
    client: docker.DockerClient, tag: str, arguments: Mapping[str, str], context: Callable[[Path], None]
) -> None:
    """Builds from a folder that `context` fills."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        context(Path(folder))
        _build(client, Path(folder), tag, {"BASE_IMAGE": arguments["BASE_IMAGE"]})


def _build(
    client: docker.DockerClient, folder: Path, tag: str, arguments: Mapping[str, str], dockerfile: str = "Dockerfile"
) -> None:
    _tell(f"Building {tag}")
    client.images.build(path=str(folder), dockerfile=dockerfile, tag=tag, buildargs=dict(arguments), rm=True)


def _tell(what: str) -> None:
    _console.print(f"[bold]·[/] {what}")


if __name__ == "__main__":
    main()
