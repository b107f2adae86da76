"""States as bytes: arrays by name, in NumPy's own format without any pickle."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Arrays of whatever type, by name."""


def pack(arrays: Arrays) -> bytes:
    """The bytes of some arrays; the same arrays always give the same bytes."""
    file = BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(state: bytes) -> dict[str, NDArray[Any]]:
    """The arrays. Raises `ValueError` where they are none."""
    with np.load(BytesIO(state), allow_pickle=False) as file:
        return dict(file)
