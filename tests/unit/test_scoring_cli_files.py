"""The command line of the engine before any file: it is measured, or refused in one line that says where and why."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from services.scoring.aggregation.evaluate import progress, reading
from services.scoring.cli import Kind, app

KINDS = [kind.value for kind in Kind]
HEADER = ("task", "worker", "label")
GOOD = {
    "choice": ("a", "b"),
    "ordinal": ("1", "2"),
    "numeric": ("3.5", "4"),
    "preference": ("left", "right"),
    "multilabel": ("a;b", "b"),
    "text": ("the cat sat", "the cat"),
    "spans": ("3-7", "3-7;12-15"),
}


def table(rows: Iterable[Sequence[str]], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    return out.getvalue()


def answers(kind: str, tasks: int = 6, workers: int = 3, header: Sequence[str] = HEADER) -> list[Sequence[str]]:
    """So many workers' answers to each task, all but one of them the same."""
    good, other = GOOD[kind]
    rows = [
        (f"q{task}:x|y", f"w{worker}", other if (task + worker) % 5 == 0 else good)
        for task in range(tasks)
        for worker in range(workers)
    ]
    return [header, *rows]


def truths(kind: str, tasks: int = 6) -> list[Sequence[str]]:
    return [("task", "label"), *((f"q{task}:x|y", GOOD[kind][0]) for task in range(tasks))]


class Folder:
    """Files, and what the commands say of them."""

    def __init__(self, path: Path) -> None:
        self.answers, self.truth = path / "answers.csv", path / "truth.csv"

    def run(self, command: str, *more: str, truth: bool = False) -> Result:
        with_truth = ["--truth", str(self.truth)] if truth else []
        return CliRunner().invoke(app, [command, "--answers", str(self.answers), *with_truth, "--json", *more])

    def figures(self, kind: str, content: str | bytes, *more: str, truth: str | bytes | None = None) -> dict[str, Any]:
        """What `evaluate` measures."""
        self.write(content, truth)
        done = self.run("evaluate", "--kind", kind, *more, truth=truth is not None)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return {name: value for name, value in found.items() if name not in {"seconds", "peak_mb"}}

    def refusal(self, kind: str, content: str | bytes, *more: str, truth: str | bytes | None = None) -> str:
        """The line by which `evaluate` refuses; it names the file."""
        self.write(content, truth)
        done = self.run("evaluate", "--kind", kind, *more, truth=truth is not None)
        assert done.exit_code == 2, done.output
        assert done.stdout == ""
        line: str
        [line] = done.stderr.splitlines()
        assert line.startswith(str(self.answers.parent))
        return line.removeprefix(str(self.answers.parent)).lstrip("/")

    def write(self, content: str | bytes, truth: str | bytes | None = None) -> None:
        for file, what in ((self.answers, content), (self.truth, truth)):
            if what is not None:
                file.write_bytes(what.encode() if isinstance(what, str) else what)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 3600.0)  # refusals are one line on a slow machine too
    return Folder(tmp_path)


@pytest.mark.parametrize("kind", ["ordinal", "numeric"])
def test_a_level_is_one_however_it_is_written(folder: Folder, kind: str) -> None:
    rows = [(f"q{task}", f"w{n}", written) for task in range(4) for n, written in enumerate(["1", "1.0", "01", "+1e0"])]
    found = folder.figures(kind, table([HEADER, *rows]), truth=table([("task", "label"), ("q0", "1"), ("q1", "1.00")]))
    assert found["mae"] == 0
    assert found.get("accuracy", 1.0) == 1.0


def test_names_of_choices_that_look_like_numbers_stay_names(folder: Folder) -> None:
    rows = [(f"q{task}", f"w{n}", written) for task in range(4) for n, written in enumerate(["1", "1", "01"])]
    truth = table([("task", "label"), *((f"q{task}", "1") for task in range(4))])
    assert folder.figures("choice", table([HEADER, *rows]), truth=truth)["majority_accuracy"] == 1.0


@pytest.mark.parametrize("kind", ["multilabel", "text"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "mark and utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(folder: Folder, kind: str, encoding: str, separator: str) -> None:
    expected = folder.figures(kind, table(answers(kind)), truth=table(truths(kind)))
    mark = b"\xfe\xff" if encoding.startswith("mark") else b""
    written = [
        mark + table(rows, separator).encode(encoding.removeprefix("mark and "))
        for rows in (answers(kind), truths(kind))
    ]
    assert folder.figures(kind, written[0], truth=written[1]) == expected


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n\n", "\n,,\n"])
def test_line_ends_blank_rows_and_further_columns_make_no_difference(folder: Folder, ending: str) -> None:
    expected = folder.figures("choice", table(answers("choice")))
    rows = [
        (label, "note, of no matter", task, worker)
        for task, worker, label in answers("choice", header=(" Task ", "WORKER", "label"))
    ]
    written = ("\n" + table(rows)).replace("\n", ending)
    assert folder.figures("choice", written) == expected


def test_rows_that_a_program_cut_after_the_last_filled_cell_are_read(folder: Folder) -> None:
    rows = answers("choice")
    written = "task,worker,label,note\n" + "".join(",".join(row) + "\n" for row in rows[1:])
    assert folder.figures("choice", written) == folder.figures("choice", table(rows))


def test_a_long_cell_is_read_and_a_longer_one_is_refused(folder: Folder) -> None:
    rows = answers("text")
    long = [rows[0], (*rows[1][:2], "a" * 150_000), *rows[2:]]
    assert folder.figures("text", table(long))["answers"] == len(rows) - 1
    longer = [rows[0], (*rows[1][:2], "a" * 1_000_001), *rows[2:]]
    assert folder.refusal("text", table(longer)).startswith("answers.csv, row 2: a cell is longer than 1,000,000")
    words = [rows[0], (*rows[1][:2], "a " * 30_000), *rows[2:]]
    assert folder.refusal("text", table(words)).startswith("answers.csv, row 2, column label: has 30,000 words")


def test_a_truth_is_refused_by_its_own_file(folder: Folder) -> None:
    said = folder.refusal("ordinal", table(answers("ordinal")), truth="task,label\nq0:x|y,1\nq1:x|y,one\n")
    assert said == "truth.csv, row 3, column label: 'one' is no number: write it like 3.5"


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("choice", "", "answers.csv: is empty: its first row must name task, worker, label"),
        ("choice", "\n \n", "answers.csv: is empty"),
        ("choice", "task,worker,label\n", "answers.csv: has no answers"),
        ("choice", "task,worker\nq,w\n", "answers.csv, row 1, column label: there is no such column"),
        ("choice", "task;worker\nq;w\n", "answers.csv, row 1, column label: there is no such column"),
        ("choice", "a,b\n1,2\n", "reads 'a,b'"),
        ("choice", b"PK\x03\x04\x14\0\0\0", "column task: there is no such column"),
        ("choice", "task,worker,label,label\nq,w,a,b\n", "answers.csv, row 1, column label: there are several"),
        ("choice", "task,worker,label\nq,w,a\n\nq,w\n", "row 4, column label: has 2 cells where the header has 3"),
        ("choice", "task,worker,label\nq,w,a,b\n", "row 2: has 4 cells where the header has 3: put cells"),
        ("choice", "task,worker,label\nq,w,\n", "row 2, column label: is empty: fill it in"),
        ("choice", "task,worker,label\n,w,a\n", "row 2, column task: is empty"),
        ("choice", b"task,worker,label\nq,w,a\nq,\xe9,a\n", "row 3, column worker: '\\udce9' is no UTF-8"),
        ("choice", "task,worker,label\nq,w,a\0\n", "row 2, column label: 'a\\x00' holds a NUL character"),
        ("choice", 'task,worker,label\nq,w,a\nq,v,"a\nq,u,b\n', "row 3: a double quote is opened and never closed"),
        ("choice", 'task,worker,label\nq,w,"a" b\n', "row 2: something stands behind a closing double quote"),
        ("choice", b"\xff\xfet\0a\0s\0k\0", "column worker: there is no such column"),
        ("choice", "task,worker,label\n".encode("utf-16") + b"x", "is neither UTF-8 nor UTF-16"),
        ("ordinal", "task,worker,label\nq,w,high\n", "row 2, column label: 'high' is no number: write it like 3.5"),
        ("numeric", "task;worker;label\nq;w;3,5\n", "row 2, column label: '3,5' is no number: write it like 3.5"),
        ("numeric", "task,worker,label\nq,w,nan\n", "'nan' is no number"),
        ("numeric", "task,worker,label\nq,w,1e999\n", "'1e999' is beyond 1e+15"),
        ("preference", "task,worker,label\nq:x|y,w,A\n", "row 2, column label: 'A' is no preference: write left"),
        ("preference", "task,worker,label\nq,w,left\n", "row 2, column task: 'q' is no pair: name the task context"),
        ("spans", "task,worker,label\nq,w,7-3\n", "row 2, column label: '7-3' is no span"),
        ("spans", "task,worker,label\nq,w,0-99999999999\n", "'0-99999999999' is no span"),
        ("choice", table([HEADER, *(("q", f"w{n}", f"l{n}") for n in range(1001))]), "1,001 different labels"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line_with_its_place_and_the_way_out(
    folder: Folder, kind: str, content: str | bytes, expected: str
) -> None:
    assert expected in folder.refusal(kind, content)


def test_what_is_no_file_is_refused_by_name(folder: Folder) -> None:
    for command in (("evaluate", "--kind", "choice"), ("spam",)):
        done = folder.run(*command)
        assert (done.exit_code, done.stderr) == (2, f"{folder.answers}: cannot be read: No such file or directory\n")
    folder.answers.mkdir()
    assert folder.run("spam").stderr == f"{folder.answers}: cannot be read: Is a directory\n"


def test_a_file_without_line_ends_is_refused_before_it_is_read_whole(folder: Folder) -> None:
    folder.answers.write_bytes(b"")
    with folder.answers.open("r+b") as file:
        file.truncate(1 << 32)
    assert folder.run("spam").stderr.startswith(f"{folder.answers}, row 1: goes on for 1,000,000 characters")


def test_two_truths_of_a_task_are_refused_and_the_same_one_twice_is_not(folder: Folder) -> None:
    same = table([*truths("ordinal"), ("q0:x|y", "01")])
    folder.figures("ordinal", table(answers("ordinal")), truth=same)
    said = folder.refusal("ordinal", table(answers("ordinal")), truth=table([*truths("ordinal"), ("q0:x|y", "2")]))
    assert said == "truth.csv, row 8, column label: '2' is another truth of the task than row 2 has: remove one"
    assert "truth.csv: has no truths" in folder.refusal("choice", table(answers("choice")), truth="task,label\n")


@pytest.mark.parametrize(
    "options",
    [
        ("evaluate", "--kind", "choice", "--gold", "-1"),
        ("evaluate", "--kind", "choice", "--limit-answers", "0"),
        ("evaluate", "--kind", "choice", "--seed", "-1"),
        ("evaluate", "--kind", "colour"),
        ("simulate-overlap", "--price", "-0.1"),
        ("simulate-overlap", "--price", "nan"),
        ("simulate-overlap", "--seed", "-1"),
    ],
)
def test_options_out_of_range_are_refused(folder: Folder, options: Sequence[str]) -> None:
    folder.write(table(answers("choice")), table(truths("choice")))
    done = folder.run(*options, truth=True)
    assert (done.exit_code, done.stdout) == (2, "")
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize("options", [("--share", "-1"), ("--share", "inf"), ("--share", "nan"), ("--seed", "-1")])
def test_options_of_spam_out_of_range_are_refused(folder: Folder, options: Sequence[str]) -> None:
    folder.write(table(answers("choice")))
    done = folder.run("spam", *options)
    assert (done.exit_code, done.stdout) == (2, "")


def test_gold_that_leaves_no_truth_to_measure_by_is_refused_by_the_file(folder: Folder) -> None:
    folder.figures("choice", table(answers("choice")), "--gold", "5", truth=table(truths("choice")))
    said = folder.refusal("choice", table(answers("choice")), "--gold", "6", truth=table(truths("choice")))
    assert said == "truth.csv: --gold 6 leaves none of its truths to measure by: give at most 5"


def test_gold_without_a_truth_is_refused(folder: Folder) -> None:
    folder.write(table(answers("choice")))
    done = folder.run("evaluate", "--kind", "choice", "--gold", "1")
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.mark.parametrize(("tasks", "workers"), [(1, 1), (3, 2), (7, 3), (8, 1), (9, 2), (40, 3)])
def test_spam_on_a_small_file_answers(folder: Folder, tasks: int, workers: int) -> None:
    folder.write(table(answers("choice", tasks, workers)))
    done = folder.run("spam")
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (done.exit_code, found["answers"]) == (0, tasks * workers)
    small = "is too small: nobody is looked at with fewer than 8 answers, and it has fewer tasks"
    assert done.stderr == (f"{folder.answers}: {small}\n" if tasks < 8 else "")
    assert (found["recall"] is None) == (tasks < 8)


def test_figures_that_say_little_are_told_of_beside_them(folder: Folder) -> None:
    folder.write(table(answers("choice")), table([("task", "label"), ("other", "a")]))
    assert "no task has both" in folder.run("evaluate", "--kind", "choice", truth=True).stderr
    folder.write(table(answers("choice")), table([("task", "label"), ("q1:x|y", "A")]))
    assert "labels written alike" in folder.run("evaluate", "--kind", "choice", truth=True).stderr
    folder.write(table(answers("preference")))
    assert "change nothing" in folder.run("evaluate", "--kind", "preference", "--limit-answers", "2").stderr


class Told(io.StringIO):
    """A standard error that knows when something has been written to it."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal, self.written = terminal, Event()

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_takes_long_is_told_on_standard_error(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(sys, "stderr", err := Told(terminal=terminal))
    with progress.shown("Reading a.csv") as watch:
        assert err.written.wait(60)
        watch(7, 0.5)
    assert "Reading a.csv" in err.getvalue()
    assert ("7 rows" in err.getvalue()) == terminal
    assert (err.getvalue() == "Reading a.csv ...\n") == (not terminal)


def test_what_is_quick_is_told_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 3600.0)
    monkeypatch.setattr(sys, "stderr", err := Told(terminal=True))
    with progress.shown("Reading a.csv") as watch:
        watch(7, None)
    assert not err.written.is_set()


def test_how_far_a_file_is_read_is_told_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LOOK_EVERY", 4)
    file, told = tmp_path / "answers.csv", list[tuple[int, float | None]]()
    file.write_text(table(answers("choice")))
    assert len(list(reading.rows(file, HEADER, lambda *far: told.append(far)))) == 18
    assert told == [(row, 1.0) for row in (4, 8, 12, 16)]  # it is small: all of it is read at once


_NUMBERS = ["0", "1", "1.0", "01", "-2.5", "1e9", "1e999", "nan"]
_WORDS = ["a", "b", "a;b", "left", "tie", "q:x|y", "q:y|z", "p:|", "3-7", "0-2;5-9", "7-3", "é", "x" * 200]
_TRAPS = ["", " ", ";", ",", "\t", '"', 'a"b', "a\nb", "\0", "\ud800"]
nasty = st.sampled_from([*_NUMBERS, *_WORDS, *_TRAPS])
good = st.sampled_from([label for some in GOOD.values() for label in some])
cells = st.one_of(nasty, good, st.text(max_size=5))
headers = st.one_of(
    st.just(HEADER),
    st.permutations([*HEADER, "note"]).map(tuple),
    st.sampled_from([("task", "label"), ("task", "worker", "label", "label"), ("Task", " worker ", "LABEL"), ()]),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Tables that are nearly or quite what is wanted, and bytes of any kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    header = draw(headers)
    width = draw(st.integers(2, 5)) if draw(st.booleans()) else max(len(header), 1)
    column = draw(st.sampled_from([cells, nasty, *(st.sampled_from(some) for some in GOOD.values())]))
    names = st.sampled_from(["q:x|y", "q:y|z", "r:x|z", "s:a|b"])
    rows = draw(st.lists(st.one_of(st.lists(column, min_size=width, max_size=width),
                                   st.tuples(names, st.sampled_from("uvw"), column)), max_size=30))  # fmt: skip
    separator = draw(st.sampled_from([",", ";", "\t"]))
    quoted = draw(st.booleans())
    text = table([header, *rows], separator) if quoted else "\n".join(separator.join(row) for row in [header, *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    errors = "surrogatepass" if encoding == "utf-8" else "replace"
    return text.encode(encoding, errors) + draw(st.sampled_from([b"", b"", b"", b'"', b"\0", b"\xff"]))


COMMANDS = st.one_of(
    st.tuples(st.just("evaluate"), st.just("--kind"), st.sampled_from(KINDS), st.just("--mode"),
              st.sampled_from(["batch", "live"])),
    st.tuples(st.just("evaluate"), st.just("--kind"), st.sampled_from(KINDS), st.just("--limit-answers"), st.just("1")),
    st.tuples(st.just("evaluate"), st.just("--kind"), st.sampled_from(KINDS), st.just("--gold"), st.just("1")),
    st.just(("simulate-overlap",)),
    st.just(("spam",)),
)  # fmt: skip


def check_answered(done: Result, folder: Folder) -> None:
    """Whatever the file, the command tells figures as JSON, or refuses it in a line that names it."""
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code in (0, 2), done.output
    if done.exit_code == 0:
        assert json.loads(done.stdout, parse_constant=pytest.fail)
        return
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith((str(folder.answers), str(folder.truth)))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files(), files(), st.booleans(), COMMANDS)
def test_whatever_bytes_a_file_holds_a_command_measures_it_or_refuses_it_in_a_line_that_names_it(
    folder: Folder, content: bytes, truth: bytes, with_truth: bool, command: Sequence[str]
) -> None:
    folder.write(content, truth)
    needed = "--gold" in command or command[0] == "simulate-overlap"
    check_answered(folder.run(*command, truth=needed or (with_truth and command[0] != "spam")), folder)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=12),
    st.lists(st.integers(0, 4), unique=True, max_size=4),
    st.sampled_from(["batch", "live"]),
)
def test_a_well_formed_file_however_small_is_measured(
    folder: Folder, kind: str, rows: list[tuple[int, int, int]], known: list[int], mode: str
) -> None:
    written = [HEADER, *((f"q{task}:x|y", f"w{by}", GOOD[kind][said]) for task, by, said in rows)]
    truth = table([("task", "label"), *((f"q{task}:x|y", GOOD[kind][task % 2]) for task in known)]) if known else None
    assert folder.figures(kind, table(written), "--mode", mode, truth=truth)["answers"] >= 1
