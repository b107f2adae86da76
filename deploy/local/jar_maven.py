"""Fetch jars with Maven, where it is installed: it knows the user's mirrors, proxies and local repository."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from deploy.local.jar_progress import Report

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_WITHIN_SECONDS = 240.0


async def fetch(paths: Sequence[str], folder: Path, report: Report) -> None:
    """Put the jars at `paths` of the repository into `folder`, in the same layout. Raises OSError."""
    maven = shutil.which("mvn")
    if maven is None:
        raise FileNotFoundError("Maven: not installed")
    with tempfile.TemporaryDirectory() as project:
        file = Path(project) / "pom.xml"
        file.write_bytes(pom(paths))
        options = [f"-DoutputDirectory={folder}", "-Dmdep.useRepositoryLayout=true", "-DincludeScope=runtime"]
        argv = [maven, "-B", "--strict-checksums", "-f", str(file), _PLUGIN, *options]
        await _run(argv, {Path(path).name for path in paths}, report)


async def _run(argv: Sequence[str], names: set[str], report: Report) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            last = await _follow(process, names, report)
            code = await process.wait()
    except TimeoutError:
        raise OSError(f"Maven: not done within {_WITHIN_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if code != 0:
        raise OSError(f"Maven: {last or f'exited with {code}'}")


async def _follow(process: asyncio.subprocess.Process, names: set[str], report: Report) -> str:
    """Count the jars that Maven says it has; its first line that tells of an error."""
    assert process.stdout is not None
    error, done = "", set[str]()
    async for line in process.stdout:
        text = line.decode(errors="replace").strip()
        if "ERROR" in text and not error:
            error = text
        done |= {word.rpartition("/")[2] for word in text.split()} & names
        report(len(done))
    return error


def pom(paths: Sequence[str]) -> bytes:
    """A project that depends on exactly these jars and on nothing that they depend on."""
    project = ElementTree.Element("project", xmlns="http://maven.apache.org/POM/4.0.0")
    own = {"modelVersion": "4.0.0", "groupId": "preceptor", "artifactId": "kafka-jars", "version": "1"}
    _fill(project, {**own, "packaging": "pom"})
    dependencies = ElementTree.SubElement(project, "dependencies")
    for path in paths:
        group, artifact, version = _coordinates(path)
        dependency = ElementTree.SubElement(dependencies, "dependency")
        _fill(dependency, {"groupId": group, "artifactId": artifact, "version": version})
        exclusion = ElementTree.SubElement(ElementTree.SubElement(dependency, "exclusions"), "exclusion")
        _fill(exclusion, {"groupId": "*", "artifactId": "*"})
    return ElementTree.tostring(project)


def _fill(element: ElementTree.Element, values: dict[str, str]) -> None:
    for name, value in values.items():
        ElementTree.SubElement(element, name).text = value


def _coordinates(path: str) -> tuple[str, str, str]:
    """`org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar` is org.slf4j, slf4j-api, 1.7.36."""
    *group, artifact, version, _file = path.split("/")
    return ".".join(group), artifact, version
