"""Locales: one spelling for each, and whom a project's locale is for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.locales import LocaleUnknown, canonical, canonical_each, respelled
from services.tasking.domain.locale import patterns

_TAGS = st.lists(st.sampled_from(["en", "US", "Latn", "GB", "1996", "e", "USA"]), min_size=1, max_size=4).map("-".join)


@pytest.mark.parametrize(
    ("tag", "spelled"),
    [
        ("en-us", "en-US"),
        ("EN-US", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("de-ch-1996", "de-CH-1996"),
        ("es-419", "es-419"),
        ("eng", "en"),
        ("iw", "he"),
        ("zh-cmn-hans", "zh-Hans"),
    ],
)
def test_a_locale_has_one_spelling(tag: str, spelled: str) -> None:
    assert canonical(tag, "locale") == spelled
    assert canonical(spelled, "locale") == spelled


@pytest.mark.parametrize("tag", ["qq", "en-ZZZZZ-a", "en-us-us", "en-", "", "en_US_POSIX", "xx-YY", "de-1996-1996"])
def test_a_locale_that_no_registry_knows_is_refused_by_field(tag: str) -> None:
    with pytest.raises(LocaleUnknown) as refused:
        canonical_each(["en", tag], "locales")
    assert (refused.value.field, refused.value.metadata) == ("locales[1]", {"locale": tag})


def test_two_spellings_are_one_locale() -> None:
    assert canonical_each(["en-us", "fr", "en-US"], "locales") == ["en-US", "fr"]


def test_what_was_let_in_before_is_respelled_or_stays() -> None:
    assert respelled(["EN-us", "nonsense-0", "en-US"]) == ["en-US", "nonsense-0"]


@given(_TAGS, st.lists(_TAGS, max_size=3))
def test_a_locale_is_for_who_works_in_it_or_in_a_wider_or_a_narrower_one(project: str, locales: list[str]) -> None:
    fits = any(f"{project}-".startswith(f"{own}-") or f"{own}-".startswith(f"{project}-") for own in locales)
    matched = [re.fullmatch(pattern.replace("%", ".*"), f"{project}-") for pattern in patterns(locales)]
    assert any(matched) == fits
