"""What the benchmarks of scoring share: rows of a table, printed at once."""

from __future__ import annotations

import pytest

from tests.benchmarks.scoring_rows import Tell


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Prints a row of the table, whatever pytest captures."""

    def row(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="")  # noqa: T201

    return row
