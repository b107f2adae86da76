"""Kafka's jars: only what the list says, from whichever source has it."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from deploy.local import jar_download, jar_maven
from deploy.local.jar_progress import Report
from deploy.local.kafka_jars import JarsUnavailableError, kafka_jars, pinned
from deploy.local.ports import HOST, free_port

# Stands in for Maven: takes the jars from a folder instead of from a repository.
MAVEN = """
import os, shutil, sys
if os.environ["JARS"] == "broken":
    sys.exit(print("[ERROR] no such artifact") or 1)
options = dict(word[2:].split("=", 1) for word in sys.argv if word.startswith("-D"))
shutil.copytree(os.environ["JARS"], options["outputDirectory"], dirs_exist_ok=True)
"""


async def test_a_tampered_jar_is_replaced_from_another_cache(tmp_path: Path) -> None:
    good = (await kafka_jars())[0]
    mine = tmp_path / "mine"
    await kafka_jars([mine, _folder_of(good)], [_nowhere])
    copy = mine / pinned()[0].path
    copy.write_bytes(b"not what was pinned")
    assert (await kafka_jars([mine, _folder_of(good)], [_nowhere]))[0] == copy
    assert copy.read_bytes() == good.read_bytes()


async def test_what_is_fetched_goes_to_every_cache(tmp_path: Path) -> None:
    source = _folder_of((await kafka_jars())[0])
    runner = await _serve(source, port := free_port())
    try:
        over_http = partial(jar_download.fetch, base=f"http://{HOST}:{port}")
        jars = await kafka_jars([tmp_path / "mine", tmp_path / "shared"], [_nowhere, over_http])
    finally:
        await runner.cleanup()
    assert len(jars) == len(pinned())
    assert all(jar.good_in(tmp_path / "shared") for jar in pinned())


async def test_a_jar_with_a_wrong_checksum_is_refused_and_not_kept(tmp_path: Path) -> None:
    async def forge(paths: Sequence[str], folder: Path, _: Report) -> None:
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"forged")

    with pytest.raises(JarsUnavailableError, match=r"kafka_2\.13-4\.3\.1\.jar: wrong checksum"):
        await kafka_jars([tmp_path / "mine"], [forge])
    assert not list((tmp_path / "mine").rglob("*.jar"))


async def test_every_way_that_failed_is_told(tmp_path: Path) -> None:
    closed = partial(jar_download.fetch, base=f"http://{HOST}:{free_port()}", pause=0.0)
    with pytest.raises(JarsUnavailableError) as failure:
        await kafka_jars([tmp_path / "mine"], [_nowhere, closed])
    assert "nowhere to be had" in str(failure.value)
    assert f"http://{HOST}" in str(failure.value)


async def test_maven_is_used_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _folder_of((await kafka_jars())[0])
    stand_in = tmp_path / "bin" / "mvn"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!{sys.executable}\n{MAVEN}")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    monkeypatch.setenv("JARS", str(source))
    assert len(await kafka_jars([tmp_path / "mine"], [jar_maven.fetch])) == len(pinned())
    monkeypatch.setenv("JARS", "broken")
    with pytest.raises(JarsUnavailableError, match=r"Maven: \[ERROR\] no such artifact"):
        await kafka_jars([tmp_path / "other"], [jar_maven.fetch])


def test_maven_is_asked_for_exactly_the_listed_jars() -> None:
    pom = jar_maven.pom(["org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar"]).decode()
    assert "<groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>1.7.36</version>" in pom
    assert "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>" in pom


async def _nowhere(_paths: Sequence[str], _folder: Path, _report: Report) -> None:
    raise OSError("nowhere to be had")


def _folder_of(first: Path) -> Path:
    return Path(str(first).removesuffix(pinned()[0].path))


async def _serve(folder: Path, port: int) -> web.AppRunner:
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    return runner
