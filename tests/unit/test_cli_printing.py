"""What others wrote is shown by the command line, and never obeyed by the terminal that it is printed on."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from preceptor.tasking.v1.events_pb2 import AnswersDecided, AnswerSubmitted, Decision
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chassis.ops import messages
from clients.cli.printing import add_row, json_shown, shown

HOSTILE = {
    "a sequence that clears the screen": "\x1b[2J\x1b]0;title\x07",
    "the same by one character": "\x9b2J",
    "the end of a style that is not open": "[/bold] [red",
    "a link": "[link=https://example.org]click[/link]",
    "a picture": ":bomb:",
    "text from right to left": "\u202etxt.exe",
    "a line of its own": "one\r\ntwo\u2028three",
    "half of a pair": "\ud800",
    "a NUL": "\x00",
}


def printed(what: Text | Table) -> str:
    into = io.StringIO()
    Console(file=into, width=200, force_terminal=True, color_system=None).print(what)
    return into.getvalue()


def acting(text: str) -> set[str]:
    return {one for one in text if one != "\n" and unicodedata.category(one)[0] == "C"}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_stranger_wrote_is_not_obeyed(what: str) -> None:
    table = Table("key")
    add_row(table, HOSTILE[what])
    for output in (printed(shown(HOSTILE[what])), printed(table)):
        assert acting(output) == set()
    assert printed(shown(HOSTILE[what])).count("\n") == 1


@pytest.mark.parametrize("plain", ["Löwe", "日本語", "عربى", "\U0001f600", "a [b] c", "C:\\new"])
def test_what_is_only_to_look_at_is_shown_as_it_is(plain: str) -> None:
    assert printed(shown(plain)) == plain + "\n"


@pytest.mark.parametrize("what", HOSTILE)
def test_json_that_is_shown_stays_json(what: str) -> None:
    output = printed(json_shown(json.dumps({"key": HOSTILE[what], "é": 1}, ensure_ascii=False)))
    assert acting(output) == set()
    assert json.loads(output) == {"key": HOSTILE[what], "é": 1}


def test_a_message_with_a_time_that_no_calendar_has_is_shown_by_its_size() -> None:
    event = AnswerSubmitted(task_id="t")
    event.submit_time.seconds = 2**62
    assert messages.content(event.DESCRIPTOR.full_name, event.SerializeToString()) == ""


def test_a_message_of_very_many_parts_is_shown_by_its_size() -> None:
    event = AnswersDecided(task_id="t", decisions=[Decision(answer_id=str(number)) for number in range(80_000)])
    assert messages.content(event.DESCRIPTOR.full_name, event.SerializeToString()) == ""
