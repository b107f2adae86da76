"""Errors that nobody foresaw, as lines of the log: Python's own words about them would quote whatever they do.

Errors of the database quote rows. A line says of them what the redaction leaves.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_log = structlog.get_logger(__name__)


@contextmanager
def told() -> Iterator[None]:
    """Tells of what ends the body, and ends the process with 1. What ends it as meant, such as `SystemExit`, passes."""
    # What fails in threads and finalizers nobody can catch.
    threading.excepthook = _in_a_thread
    sys.unraisablehook = _in_a_finalizer
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        _log.critical("ended by an unforeseen error", exc_info=error)
        raise SystemExit(1) from None


def watch_loop() -> None:
    """Tells of what fails in the running loop where nobody awaits it."""
    asyncio.get_running_loop().set_exception_handler(_in_loop)


def _in_a_thread(args: threading.ExceptHookArgs) -> None:
    _log.error("unforeseen error in a thread", thread=args.thread and args.thread.name, exc_info=args.exc_value)


def _in_a_finalizer(args: UnraisableHookArgs) -> None:
    _log.error("unforeseen error that could not be raised", exc_info=args.exc_value)


def _in_loop(_: asyncio.AbstractEventLoop, told_of: Mapping[str, Any]) -> None:
    """Of what the loop tells only the message and the error: the rest is tasks and futures, which quote errors too."""
    _log.error("unforeseen error in the loop", what=told_of.get("message"), exc_info=told_of.get("exception"))
