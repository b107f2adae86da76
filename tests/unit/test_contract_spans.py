"""A span is the passage that is meant, in whatever units its sender counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preceptor.work.v1.rubric_grade_pb2 import Span

from chassis.contract.answers.rules import SpanOutsideText, SpanQuoteMismatch, SpanQuoteMissing
from chassis.contract.answers.spans import check_span

_TEXT = "A 😀 face, then the word."
_FIELD = "answer.rubric_grade.grades[0].evidence[0]"


def in_utf16(text: str, start: int, end: int) -> tuple[int, int]:
    """The same place as a browser counts it."""
    begin = len(text[:start].encode("utf-16-le")) // 2
    return begin, begin + len(text[start:end].encode("utf-16-le")) // 2


def test_a_span_counted_in_utf_16_is_refused_by_its_quote_saying_what_stands_there() -> None:
    start = _TEXT.index("word")
    check_span(_TEXT, Span(start=start, end=start + 4, quote="word"), _FIELD)
    begin, end = in_utf16(_TEXT, start, start + 4)
    with pytest.raises(SpanQuoteMismatch) as refused:
        check_span(_TEXT, Span(start=begin, end=end, quote="word"), _FIELD)
    assert (refused.value.field, refused.value.metadata["stands"]) == (f"{_FIELD}.quote", "ord.")


def test_where_the_counts_differ_a_span_without_its_quote_is_refused() -> None:
    start = _TEXT.index("word")
    with pytest.raises(SpanQuoteMissing) as refused:
        check_span(_TEXT, Span(start=start, end=start + 4), _FIELD)
    assert (refused.value.field, refused.value.metadata["stands"]) == (f"{_FIELD}.quote", "word")
    check_span(_TEXT, Span(start=0, end=2), _FIELD)
    check_span("Ein Wort für sich.", Span(start=4, end=12), _FIELD)


def test_a_quote_is_compared_code_point_by_code_point() -> None:
    with pytest.raises(SpanQuoteMismatch):
        check_span("caf\u00e9", Span(start=0, end=4, quote="cafe\u0301"), _FIELD)


def test_what_is_shown_of_a_long_passage_is_short() -> None:
    with pytest.raises(SpanQuoteMismatch) as refused:
        check_span("x" * 5000, Span(start=0, end=5000, quote="y"), _FIELD)
    assert len(refused.value.metadata["stands"]) == 200


@given(st.text("a 😀é\U0010ffff", min_size=1), st.data())
def test_no_span_counted_in_other_units_than_code_points_is_taken_for_another_passage(
    text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    begin, until = in_utf16(text, start, end)
    meant = text[start:end]
    for quote in ("", meant):
        try:
            check_span(text, Span(start=begin, end=until, quote=quote), _FIELD)
        except (SpanOutsideText, SpanQuoteMismatch, SpanQuoteMissing):
            continue
        assert text[begin:until] == meant
