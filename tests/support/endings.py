"""A program of the chassis that meets an error of the database where `PAYOUTS_PLACE` says.

The error is PostgreSQL's own, about a row whose key is an e-mail address.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from chassis.db import Database
from chassis.errors import FailedPrecondition
from chassis.run import main
from chassis.service import Service
from chassis.settings import ChassisSettings

SECRET = "ada.lovelace" + chr(64) + "mail.example"
"""What no line may quote."""

_TWICE = f"""
CREATE TEMP TABLE account (email text PRIMARY KEY);
INSERT INTO account VALUES ('{SECRET}'), ('{SECRET}');
"""


class Wrapped(FailedPrecondition):
    """An error of ours, with the database's as its cause."""

    reason = "WRAPPED"


async def _quoting(url: str) -> asyncpg.PostgresError:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_TWICE)
    except asyncpg.PostgresError as error:
        return error
    finally:
        await connection.close()
    raise AssertionError("the row was taken twice")


@asynccontextmanager
async def _context(settings: ChassisSettings, _: Database) -> AsyncIterator[None]:
    error = await _quoting(settings.database_url.get_secret_value())
    assert SECRET in str(error.as_dict())
    _PLACES[os.environ["PAYOUTS_PLACE"]](error)
    for _turn in range(4):
        await asyncio.sleep(0)  # callbacks and tasks take a turn of the loop each
    raise SystemExit(3)
    yield


def _raise(error: Exception) -> None:
    raise error


def _raise_wrapped(error: Exception) -> None:
    raise Wrapped from error


def _raise_in_group(error: Exception) -> None:
    raise ExceptionGroup("several", [ValueError("plain"), error])


def _in_thread(error: Exception) -> None:
    thread = threading.Thread(target=_raise, args=[error], name=SECRET[:3])
    thread.start()
    thread.join()


def _in_callback(error: Exception) -> None:
    asyncio.get_running_loop().call_soon(_raise, error)


def _in_task(error: Exception) -> None:
    async def fail() -> None:
        raise error

    asyncio.ensure_future(fail())  # noqa: RUF006 nobody asks what became of it


class _Last:
    """Fails when it is forgotten."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __del__(self) -> None:
        raise self._error


def _in_finalizer(error: Exception) -> None:
    _Last(error)


_PLACES: Mapping[str, Callable[[Exception], None]] = {
    "raised": _raise,
    "as a cause": _raise_wrapped,
    "in a group": _raise_in_group,
    "in a thread": _in_thread,
    "in a callback": _in_callback,
    "in a task": _in_task,
    "in a finalizer": _in_finalizer,
}

if __name__ == "__main__":
    main(Service("payouts", Path(__file__).parent / "migrations", _context, {}))
