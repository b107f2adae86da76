"""How the state of a pool is kept as bytes: little-endian floats, what a model holds after what the one before it does.

Of the pool: how often each label is given, then for each model with matrices the masses and the counts of the crowd. Of
a rater: the counts. Of an item: what the one coin holds, then each model with matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.aggregation.live.pool import Coin, Matrices, Pool
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Floats
from services.scoring.aggregation.models.prior import Prior

_WIDE, _NARROW = np.dtype("<f8"), np.dtype("<f4")


@dataclass(slots=True)
class Rater:
    """A rater's state in a pool; no bytes: nothing is counted yet."""

    prior: tuple[float, float]
    correct: float = 0.0
    total: float = 0.0
    state: bytes = b""
    muted: bool = False
    """Whether votes of the rater have no weight here."""


def item_bytes(classes: int, config: Configuration = DEFAULT) -> int:
    """The length of an item's state."""
    return _NARROW.itemsize * classes * (1 + sum(member.subtypes for member in config.members))


def load(
    classes: int,
    state: bytes,
    raters: Sequence[Rater],
    items: Sequence[bytes],
    crowd: tuple[float, float] = (0.0, 0.0),
    config: Configuration = DEFAULT,
) -> Pool:
    """The pool with these raters and items; of what has no bytes yet nothing is counted. `crowd` as in `Coin`."""
    widths = [classes * member.subtypes for member in config.members]
    held = _rows(items, classes + sum(widths))
    counts = _rows([rater.state for rater in raters], classes * sum(widths)).astype(np.float64)
    own = np.frombuffer(state, _WIDE) if state else np.zeros(classes + sum(w * (classes + 1) for w in widths))
    given, at, place, matrices = own[:classes].copy(), classes, classes, []
    for member, width in zip(config.members, widths, strict=True):
        mass, counted = own[at : at + width].copy(), own[at + width : at + width * (classes + 1)].copy()
        columns = slice((place - classes) * classes, (place - classes + width) * classes)
        matrices.append(
            Matrices(
                member,
                np.ascontiguousarray(counts[:, columns]).reshape(-1, classes, width),
                counted.reshape(classes, width),
                mass,
                np.ascontiguousarray(held[:, place : place + width]),
            )
        )
        at, place = at + width * (classes + 1), place + width
    right, wrong = np.array([rater.prior for rater in raters], dtype=np.float64).reshape(-1, 2).T.copy()
    coin = Coin(
        np.array([rater.correct for rater in raters]),
        np.array([rater.total for rater in raters]),
        np.ascontiguousarray(held[:, :classes]),
        Prior(right, wrong),
        crowd,
    )
    return Pool(given, coin, matrices, config)


def pool_state(pool: Pool) -> bytes:
    """The bytes of the pool itself."""
    parts = [pool.given, *(part for model in pool.matrices for part in (model.mass, model.crowd.ravel()))]
    return np.concatenate(parts).astype(_WIDE).tobytes()


def rater_states(pool: Pool) -> list[bytes]:
    """The bytes of each rater."""
    return _bytes([model.counts.reshape(len(model.counts), pool.classes * model.mass.size) for model in pool.matrices])


def item_states(pool: Pool) -> list[bytes]:
    """The bytes of each item."""
    return _bytes([pool.coin.held, *(model.held for model in pool.matrices)])


def _rows(states: Sequence[bytes], width: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """One row of floats from the bytes of each; zeros for none."""
    nothing = bytes(_NARROW.itemsize * width)
    joined = b"".join(state or nothing for state in states)
    return np.frombuffer(joined, _NARROW).reshape(len(states), width).astype(np.float32)


def _bytes(parts: Sequence[Floats | np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> list[bytes]:
    rows = np.concatenate(parts, axis=1).astype(_NARROW)
    whole, width = rows.tobytes(), rows.shape[1] * _NARROW.itemsize
    return [whole[at : at + width] for at in range(0, len(whole), width)]
