"""What keys of living tasks suffer mid-job, and the operator who mends it while the platform breaks.

One task meets a bug: tasking cannot apply what scoring says of it, and parks its key. Another's key gets an event that
nobody can read, and is parked by all who hear it. Later events of both queue behind. Once some do, the bug is mended,
and the operator replays the one key and discards what cannot be read from the other: what waited is applied, in order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import asyncpg

from deploy.local.main_job.waiting import TooLateError, until
from deploy.local.platform import Platform
from tests.faults.whole_job.backends import administrator
from tests.faults.whole_job.poison import Poison
from tests.support.cli import Cli

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

T = TypeVar("T")
_GOING = ("57P01", "57P02", "57P03")
"""SQLSTATEs of a server that stops, has crashed, is starting."""
SCORED = "preceptor.scoring.v1.TaskScored"
BUG_REASON = "UNEXPECTED_ERROR"
# Kafka killed, then a consumer killed while it waits for Kafka: that alone has taken a minute and a half.
_ENOUGH_SECONDS = 150.0
_SOON_SECONDS = 10.0

# Stands for a wrong line of a deploy; it also notes what is applied once it is mended. May be planted twice.
_BUG = """
CREATE TABLE IF NOT EXISTS bug (task_id uuid PRIMARY KEY, mended boolean NOT NULL DEFAULT false);
CREATE TABLE IF NOT EXISTS applied (n bigint GENERATED ALWAYS AS IDENTITY, version bigint NOT NULL);
CREATE OR REPLACE FUNCTION bug() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM public.bug WHERE task_id = NEW.task_id) THEN
        IF EXISTS (SELECT FROM public.bug WHERE NOT mended) THEN RAISE EXCEPTION 'this task meets a bug'; END IF;
        INSERT INTO public.applied (version) VALUES (NEW.scored_version);
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER bug BEFORE UPDATE OF scored_version ON task FOR EACH ROW EXECUTE FUNCTION bug();
"""


@dataclass
class Mending:
    """The keys, and how many events waited behind them at each consumer."""

    bug: str = ""
    unread: list[Poison] = field(default_factory=list)
    behind: dict[str, int] = field(default_factory=dict)


async def plant_bug(platform: Platform, task: str) -> None:
    """Makes tasking fail on scorings of one task."""

    async def planted(database: Connection) -> bool:
        await database.execute(_BUG)
        await database.execute("INSERT INTO bug (task_id) VALUES ($1) ON CONFLICT DO NOTHING", UUID(task))
        return True

    await _once_there(platform, "tasking", planted)


async def mend(platform: Platform, folder: Path, mending: Mending) -> None:
    """Waits until events queue behind the keys, mends the bug, and has the operator free them."""
    cli = Cli.of(platform, folder)
    for poison in mending.unread:
        for service in sorted(poison.consumers):
            mending.behind[service] = await _queued(platform, service, poison.key, _ENOUGH_SECONDS)
            await _until("it is discarded", partial(_discarded, platform, cli, service, poison.key))
    await _until("the bug is met", partial(_parked, platform, "tasking", mending.bug))
    # All answers of a task may have been scored at once: then nothing comes behind.
    mending.behind["tasking"] = await _queued(platform, "tasking", mending.bug, _SOON_SECONDS)
    await _once_there(platform, "tasking", lambda database: database.execute("UPDATE bug SET mended = true"))
    await _until("the key is replayed", partial(_replayed, platform, cli, mending.bug))


async def applied_versions(platform: Platform) -> list[int]:
    """The scorings of the task with the bug that were applied, in order."""
    async with administrator(platform, "tasking") as database:
        return [row["version"] for row in await database.fetch("SELECT version FROM applied ORDER BY n")]


async def _until(what: str, probe: Callable[[], Awaitable[bool | None]]) -> None:
    await until(what, probe, within=_ENOUGH_SECONDS, every=0.3)


async def _once_there(platform: Platform, service: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Does something in a database that may be done twice, again while it is away."""

    async def tried() -> tuple[T] | None:
        try:
            async with administrator(platform, service) as database:
                return (await work(database),)
        except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
            return None
        except asyncpg.InternalClientError:
            # The server's farewell has come and the end of the connection not yet: the driver is between two states.
            return None
        except asyncpg.PostgresError as error:
            if error.sqlstate not in _GOING:
                raise
            return None

    (found,) = await until(f"{service}'s database is there", tried, every=0.3)
    return found


async def _parked(platform: Platform, service: str, key: str) -> bool | None:
    """Whether a key is parked."""
    sql = "SELECT EXISTS (SELECT FROM parked_key WHERE key = $1)"
    return await _once_there(platform, service, lambda database: database.fetchval(sql, key)) or None


async def _queued(platform: Platform, service: str, key: str, within: float) -> int:
    """How many events wait behind a key, once some do; none if none comes in time."""
    sql = "SELECT count(*) FROM parked_event WHERE key = $1"

    async def waiting() -> int | None:
        return await _once_there(platform, service, lambda database: database.fetchval(sql, key)) or None

    try:
        return await until(f"events of {key} wait at {service}", waiting, within, every=0.3)
    except TooLateError:
        return 0


async def _discarded(platform: Platform, cli: Cli, service: str, key: str) -> bool | None:
    """One try of the operator to give up the letters of a key; true once the key is free."""
    listed = await cli.run("dead-letters", "list", "--service", service, "--key", key, "--json")
    if listed.code == 0 and (names := [str(letter["name"]) for letter in listed.json]):
        await cli.run("dead-letters", "discard", *names, "--why", "nobody can read it")
    return None if await _parked(platform, service, key) else True


async def _replayed(platform: Platform, cli: Cli, key: str) -> bool | None:
    """One try of the operator to replay a key; true once it is free."""
    await cli.run("dead-letters", "replay-key", "tasking", key, "--why", "the bug is mended")
    return None if await _parked(platform, "tasking", key) else True
