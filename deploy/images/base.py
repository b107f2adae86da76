"""The image that the others stand on: the official one, or one made from Debian's packages where it cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from deploy.images.contexts import scratch

OFFICIAL = "python:3.11-slim-bookworm"
OWN = "preceptor-base:bookworm"
_DEBOOTSTRAP = ("--variant=minbase", "--include=ca-certificates,python3,python3-venv", "bookworm")
_NOT_IN_AN_IMAGE = ("var/cache/apt/archives", "var/lib/apt/lists")


class BaseImageError(RuntimeError):
    """There is no base image and none can be made; the message says what is missing."""


def base_image(client: docker.DockerClient, tell: Callable[[str], None]) -> str:
    """The name of a Debian with Python 3.11, which the engine has afterwards. Raises `BaseImageError`."""
    for name in (OFFICIAL, OWN):
        if _is_there(client, name):
            return name
    tell(f"Pulling {OFFICIAL}")
    with suppress(APIError):
        client.images.pull(OFFICIAL)
        return OFFICIAL
    tell(f"No image registry answers: making {OWN} from Debian's packages")
    _make(client)
    return OWN


def _is_there(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _make(client: docker.DockerClient) -> None:
    """Makes the image with debootstrap, in a minute or two. Raises `BaseImageError`."""
    debootstrap = shutil.which("debootstrap")
    if debootstrap is None or os.geteuid() != 0:
        raise BaseImageError("without an image registry, root and Debian's package debootstrap are needed")
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        tree = Path(folder) / "tree"
        made = subprocess.run([debootstrap, *_DEBOOTSTRAP, str(tree)], capture_output=True, text=True, check=False)  # noqa: S603
        if made.returncode != 0:
            raise BaseImageError(f"debootstrap: {made.stdout[-2000:]}")
        for place in _NOT_IN_AN_IMAGE:
            for path in (tree / place).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        _import(client, tree)


def _import(client: docker.DockerClient, tree: Path) -> None:
    repository, _, tag = OWN.partition(":")
    with subprocess.Popen(["tar", "--create", "--directory", str(tree), "."], stdout=subprocess.PIPE) as tar:  # noqa: S603, S607
        client.api.import_image_from_stream(tar.stdout, repository=repository, tag=tag, changes=['CMD ["bash"]'])
