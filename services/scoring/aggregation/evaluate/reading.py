"""Reads tables as spreadsheets, databases and programs write them; what cannot be read is refused in one line.

Taken are UTF-8, with or without a mark, and UTF-16 and UTF-32; commas, semicolons and tabs between cells; any further
columns, in any order; blank rows. A refusal names the file, the row (the header is row 1, as in a spreadsheet), the
column where it is known, and the way out.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BufferedReader, FileIO, TextIOWrapper
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

LONGEST_CELL = 1_000_000
"""Characters."""
_SEPARATORS = (",", ";", "\t")
_BLANK = " \r\n" + "".join(_SEPARATORS)
_SHOWN = 40
_LOOK_EVERY = 1 << 16
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),  # ahead of UTF-16, whose mark is the beginning of this one
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

Watch = Callable[[int, float | None], None]
"""Is told now and then how many rows have been read, and what share of the file, where that is known."""


class UnreadableTableError(ValueError):
    """A file that cannot be read, in one line for whoever wrote it."""

    def __init__(self, path: Path, problem: str, row: int = 0, column: str = "") -> None:
        place = "".join((f", row {row}" if row else "", f", column {column}" if column else ""))
        super().__init__(f"{path}{place}: {problem}")


class Row(NamedTuple):
    """The number of a row, and its cells in the order of the columns that were asked for."""

    number: int
    cells: tuple[str, ...]


class _Header(NamedTuple):
    row: int
    separator: str
    names: list[str]


def silent(_rows: int, _share: float | None) -> None:
    """Watches without a word."""


def shown(cell: str) -> str:
    """A cell as a refusal quotes it: in one line, and not longer than it helps."""
    return repr(cell) if len(cell) <= _SHOWN else f"{cell[:_SHOWN]!r}..."


def check_readable(cell: str) -> None:
    """Raises `ValueError` for a cell whose bytes were no UTF-8, or that holds a NUL character."""
    if "\0" in cell:
        raise ValueError(f"{shown(cell)} holds a NUL character: remove it")
    try:
        cell.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{shown(cell)} is no UTF-8: save the file as UTF-8") from None


def rows(path: Path, columns: Sequence[str], watch: Watch = silent) -> Iterator[Row]:
    """The rows of a table that have something in them. Raises `UnreadableTableError`."""
    # The limit is the process's; it is put back for whoever else reads in it.
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        with FileIO(path) as raw, BufferedReader(raw) as file, _lines(file) as lines:
            yield from _rows(path, lines, columns, _watcher(raw, watch))
    except OSError as error:
        raise UnreadableTableError(path, f"cannot be read: {error.strerror}") from None
    finally:
        csv.field_size_limit(before)


def _watcher(raw: FileIO, watch: Watch) -> Callable[[int], None]:
    """Tells how far a file is read; of what is no plain file nobody knows how much there is."""
    size = os.fstat(raw.fileno()).st_size
    return lambda number: watch(number, raw.tell() / size if size and raw.seekable() else None)


def _rows(path: Path, lines: TextIOWrapper, columns: Sequence[str], look: Callable[[int], None]) -> Iterator[Row]:
    number = 0
    try:
        header = _header(path, lines, columns)
        width, places, number = len(header.names), [header.names.index(name) for name in columns], header.row
        first, pick, least = places[0], itemgetter(*places), max(places) + 1
        cells: list[str]
        for number, cells in enumerate(csv.reader(lines, delimiter=header.separator, strict=True), header.row + 1):
            if not number % _LOOK_EVERY:
                look(number)
            if (len(cells) == width and cells[first].strip()) or _is_row(path, number, cells, header, least):
                yield Row(number, pick(cells))
    except csv.Error as error:
        raise UnreadableTableError(path, _words(error), number + 1) from None
    except UnicodeError:
        raise UnreadableTableError(path, "is neither UTF-8 nor UTF-16: save it as UTF-8", number + 1) from None


def _lines(file: BufferedReader[FileIO]) -> TextIOWrapper:
    encoding = _encoding(file.peek(4))
    # What is no UTF-8 is kept until it is known in which cell it lies; elsewhere no cell could be told any more.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return TextIOWrapper(file, encoding=encoding, errors=errors, newline="")


def _is_row(path: Path, number: int, cells: list[str], header: _Header, least: int) -> bool:
    """Whether a row has something in it, and, if it is not as wide as the header, what is asked for.

    Raises `UnreadableTableError` where it has too few cells, or has some beyond the header's.
    """
    filled = sum(1 for cell in cells if cell.strip())
    if not filled:
        return False
    if len(cells) < least:
        problem = f"has {len(cells)} cells where the header has {len(header.names)}: fill it in, or remove it"
        raise UnreadableTableError(path, problem, number, header.names[len(cells)])
    if any(cell.strip() for cell in cells[len(header.names) :]):
        problem = (
            f"has {len(cells)} cells where the header has {len(header.names)}: put cells that hold a "
            f"{shown(header.separator)} into double quotes"
        )
        raise UnreadableTableError(path, problem, number)
    return True


def _encoding(first: bytes) -> str:
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return encoding
    # A header begins with letters, whose other half is 0 in UTF-16 without a mark.
    if len(first) >= 2 and 0 in first[:2] and any(first[:2]):
        return "utf-16-le" if first[1] == 0 else "utf-16-be"
    return "utf-8"


def _header(path: Path, lines: TextIOWrapper, columns: Sequence[str]) -> _Header:
    """The first row that is not blank. Its separator is the one by which it has the columns."""
    wanted = ", ".join(columns)
    for row, line in enumerate(iter(partial(lines.readline, LONGEST_CELL), ""), 1):
        if len(line) == LONGEST_CELL:
            raise UnreadableTableError(path, f"goes on for {LONGEST_CELL:,} characters: is it a table?", row)
        if not line.strip(_BLANK):
            continue
        headers = [_Header(row, separator, _names(chain([line], lines), separator)) for separator in _SEPARATORS]
        best = max(headers, key=lambda header: len(set(columns) & set(header.names)))
        for name in columns:
            if name not in best.names:
                problem = f"there is no such column: the first row must name {wanted}, and reads {shown(line.strip())}"
                raise UnreadableTableError(path, problem, row, name)
            if best.names.count(name) > 1:
                raise UnreadableTableError(path, "there are several: rename all but one", row, name)
        return best
    raise UnreadableTableError(path, f"is empty: its first row must name {wanted}")


def _names(lines: Iterator[str], separator: str) -> list[str]:
    """The names of a header, whatever case they are in; none where it is no row by this separator."""
    try:
        return [
            name.strip().casefold() for name in next(csv.reader([next(lines)], delimiter=separator, strict=True), [])
        ]
    except csv.Error:
        return []


def _words(error: csv.Error) -> str:
    """What is wrong with a row, by what the parser says of it."""
    told = str(error)
    if "field limit" in told:
        return (
            f"a cell is longer than {LONGEST_CELL:,} characters: shorten it, or close a double quote that stands open"
        )
    if "unexpected end" in told:
        return 'a double quote is opened and never closed: close it, or write it twice ("") within a quoted cell'
    return f'something stands behind a closing double quote ({told}): write a double quote within a cell twice ("")'
