"""Which experts a project's locale is for: those who work in it, in one that is wider, or in one that is narrower.

It is basic filtering (RFC 4647, section 3.3.1) in both directions. Who works in ``en`` works in every English, so an
``en-US`` task is for them; an ``en`` task does not say which English, so it is for whoever works in ``en-US``. Two that
only share a language, like ``en-GB`` and ``en-US``, do not fit: a project that takes either says ``en``.
"""

from __future__ import annotations

from collections.abc import Iterable


def patterns(locales: Iterable[str]) -> list[str]:
    """Patterns for LIKE, of which a project's canonical locale with "-" after it must match one.

    ``en-US`` gives ``en-US-%``, which is itself and what is narrower, and ``en-``, which is what is wider.
    """
    found: dict[str, None] = {}
    for locale in locales:
        parts = locale.split("-")
        found[f"{locale}-%"] = None
        found.update((f"{'-'.join(parts[:length])}-", None) for length in range(1, len(parts)))
    return list(found)
