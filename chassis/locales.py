"""Locales as BCP 47 writes them: one locale has one spelling, so that what is compared as text is compared as locale.

The canonical form is RFC 5646's (section 4.5): ``en-us`` is ``en-US``, ``zh-cmn-hans`` is ``zh-Hans``, and codes that
were replaced are their successors (``iw`` is ``he``, ``eng`` is ``en``). The registry is that of `langcodes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import langcodes

from chassis.errors import InvalidArgument


class LocaleUnknown(InvalidArgument):
    """There is no such locale: take a BCP 47 tag of a language, like "en", "pt-BR" or "zh-Hant"."""

    reason = "LOCALE_UNKNOWN"


def canonical(tag: str, field: str) -> str:
    """The one spelling of a locale. Raises `LocaleUnknown` naming `field` for what no registry knows."""
    if (spelled := _canonical(tag)) is None:
        raise LocaleUnknown(field=field, locale=tag)
    return spelled


def canonical_each(tags: Iterable[str], field: str) -> list[str]:
    """The locales in their one spelling, each once, in their order. Raises `LocaleUnknown` naming ``field[i]``."""
    return list(dict.fromkeys(canonical(tag, f"{field}[{place}]") for place, tag in enumerate(tags)))


def respelled(tags: Iterable[str]) -> list[str]:
    """Like `canonical_each`, for what was let in before spellings were one: what no registry knows stays as it is."""
    return list(dict.fromkeys(_canonical(tag) or tag for tag in tags))


@lru_cache(maxsize=4096)
def _canonical(tag: str) -> str | None:
    try:
        spelled = langcodes.standardize_tag(tag)
    except ValueError:
        return None
    return spelled if langcodes.tag_is_valid(spelled) else None
