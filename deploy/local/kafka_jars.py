"""Apache Kafka's jars: a closed list, each with its checksum, fetched once and checked at every use."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import jar_download, jar_maven
from deploy.local.jar_progress import Report, shown
from deploy.local.paths import CACHE, user_cache

KAFKA_VERSION = "4.3.1"
_FOLDER = f"kafka-{KAFKA_VERSION}"

Fetch = Callable[[Sequence[str], Path, Report], Awaitable[None]]


class JarsUnavailableError(RuntimeError):
    """The jars are not here and could not be fetched; the message says what each way of fetching answered."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One entry of the list: where it lies in a Maven repository, and what its bytes must hash to."""

    sha256: str
    path: str

    def good_in(self, folder: Path) -> bool:
        """Whether the folder holds the jar with the right content."""
        try:
            with (folder / self.path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


def pinned() -> list[Jar]:
    """The list in `kafka-jars.txt`."""
    text = Path(__file__).with_name("kafka-jars.txt").read_text()
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return [Jar(sha256, path) for sha256, path in rows]


async def kafka_jars(caches: Sequence[Path] | None = None, fetchers: Sequence[Fetch] | None = None) -> list[Path]:
    """The checked jars, as files of the first cache folder; raises JarsUnavailableError.

    What is missing comes from the other caches, else from the first way of fetching that has it, and is then put into
    every cache that can be written.
    """
    first, *others = caches or (CACHE / _FOLDER, user_cache() / _FOLDER)
    jars = pinned()
    missing = await _missing(jars, first)
    for cache in others:
        await _copy(missing, cache, first)
        missing = await _missing(missing, first)
    if missing:
        await _fetch(missing, first, fetchers or (jar_maven.fetch, jar_download.fetch))
        for cache in others:
            await _copy(missing, first, cache)
    return [first / jar.path for jar in jars]


async def _missing(jars: Iterable[Jar], folder: Path) -> list[Jar]:
    return await asyncio.to_thread(lambda: [jar for jar in jars if not jar.good_in(folder)])


async def _fetch(jars: Sequence[Jar], cache: Path, fetchers: Sequence[Fetch]) -> None:
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    answers: list[str] = []
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix="fetch-") as folder, shown(len(jars)) as report:
        new = Path(folder)
        for fetch in fetchers:
            wanted = await _missing(jars, new)
            try:
                await fetch([jar.path for jar in wanted], new, report)
            except OSError as error:
                answers.append(str(error))
            await _copy([jar for jar in wanted if jar.good_in(new)], new, cache)
            wrong = await _missing(jars, cache)
            if not wrong:
                return
            answers += [f"{jar.path}: wrong checksum" for jar in wrong if (new / jar.path).exists()]
    raise JarsUnavailableError(f"Apache Kafka {KAFKA_VERSION} could not be fetched:\n  " + "\n  ".join(answers))


async def _copy(jars: Sequence[Jar], source: Path, target: Path) -> None:
    """Put good jars from one folder into another, each at once and whole; a target that refuses is left alone."""
    await asyncio.to_thread(_copy_all, [jar for jar in jars if jar.good_in(source)], source, target)


def _copy_all(jars: Sequence[Jar], source: Path, target: Path) -> None:
    for jar in jars:
        place = target / jar.path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"{place.name}.{os.getpid()}.part")
            shutil.copyfile(source / jar.path, part)
            part.replace(place)
        except OSError:
            return
