"""Whether a span is the passage that it is meant to be. Positions count Unicode code points, as Python's strings do."""

from __future__ import annotations

import re

from preceptor.work.v1.rubric_grade_pb2 import Span

from chassis.contract.answers.rules import SpanOutsideText, SpanQuoteMismatch, SpanQuoteMissing

_SHOWN = 200
# What is one code point and two units of UTF-16.
_TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")


def check_span(text: str, span: Span, field: str) -> None:
    """Raises `SpanOutsideText`, `SpanQuoteMismatch` saying what stands there, or `SpanQuoteMissing`.

    A client that counts other units than code points is found by the quote. Without one it is believed only where both
    ways of counting agree: where the text up to the end of the span has no character that is two units of UTF-16.
    """
    if span.end > len(text):
        raise SpanOutsideText(field=f"{field}.end", length=str(len(text)))
    if span.quote:
        stands = text[span.start : span.end]
        if span.quote != stands:
            raise SpanQuoteMismatch(field=f"{field}.quote", stands=_shown(stands))
    elif not text.isascii() and _TWO_UNITS.search(text, 0, span.end):
        raise SpanQuoteMissing(field=f"{field}.quote", stands=_shown(text[span.start : span.end]))


def _shown(passage: str) -> str:
    return passage if len(passage) <= _SHOWN else passage[: _SHOWN - 1] + "…"
