"""The command line of the engine: what it prints of files of every kind of answer."""

import json
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.scoring.cli import app
from tests.support.text import joined

TASKS, WORKERS, GOLD = 40, 6, 10
_JUDGED = {
    "choice": {"accuracy", "majority_accuracy", "ece", "brier", "log_loss"},
    "ordinal": {"accuracy", "majority_accuracy", "ece", "brier", "log_loss", "mae", "rmse"},
    "numeric": {"mae", "rmse"},
    "multilabel": {"accuracy", "majority_accuracy"},
    "text": {"wer"},
    "spans": {"accuracy"},
}
ALWAYS = {"tasks", "answers", "answers_used", "seconds", "peak_mb"}
KINDS = pytest.mark.parametrize("kind", sorted(_JUDGED))
MODES = pytest.mark.parametrize("mode", ["batch", "live"])


def _right(kind: str, n: int) -> str:
    return {
        "choice": "abc"[n % 3],
        "ordinal": str(1 + n % 5),
        "numeric": str(10 + n % 7),
        "multilabel": ["red", "red;blue", "blue;green"][n % 3],
        "text": ["the cat sat on the mat", "a dog ran in the park"][n % 2],
        "spans": ["3-7", "0-2;12-15"][n % 2],
    }[kind]


class Files:
    """Made-up answers of good raters, and the truths."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind, self.answers, self.truth = kind, folder / "answers.csv", folder / "truth.csv"
        chance = random.Random(5)
        rows = [
            (f"t{n}", f"w{worker}", _right(kind, n if chance.random() < 0.85 else n + 1))
            for n in range(TASKS)
            for worker in chance.sample(range(WORKERS), 4)
        ]
        self.write(self.answers, [("task", "worker", "label"), *rows])
        self.write(self.truth, [("task", "label"), *((f"t{n}", _right(kind, n)) for n in range(TASKS))])

    @staticmethod
    def write(file: Path, rows: Iterable[tuple[str, ...]], mode: str = "w") -> None:
        with file.open(mode) as out:
            out.writelines(",".join(row) + "\n" for row in rows)

    def evaluate(self, *more: str) -> dict[str, float]:
        """What the last line of standard output says."""
        files = ["--answers", str(self.answers), "--truth", str(self.truth)]
        done = CliRunner().invoke(app, ["evaluate", "--kind", self.kind, *files, "--json", *more])
        assert done.exit_code == 0, done.output
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


@KINDS
@MODES
def test_every_kind_tells_what_applies_to_it(tmp_path: Path, kind: str, mode: str) -> None:
    found = Files(tmp_path, kind).evaluate("--mode", mode)
    assert found.keys() == ALWAYS | _JUDGED[kind]
    assert (found["tasks"], found["answers"], found["answers_used"]) == (TASKS, 4 * TASKS, 4 * TASKS)
    assert found.get("accuracy", 1.0) > 0.86
    assert found.get("wer", 0.0) < 0.14
    assert found.get("mae", 0.0) < 0.6


@KINDS
@MODES
def test_gold_is_drawn_by_seed_and_left_out_of_the_figures(tmp_path: Path, kind: str, mode: str) -> None:
    files = Files(tmp_path, kind)
    one, again, other = (
        files.evaluate("--gold", str(GOLD), "--mode", mode, "--seed", seed) for seed in ("1", "1", "2")
    )
    timing = {"seconds", "peak_mb"}
    assert one["tasks"] == other["tasks"] == TASKS - GOLD
    assert {k: v for k, v in one.items() if k not in timing} == {k: v for k, v in again.items() if k not in timing}


@MODES
def test_gold_takes_away_what_all_raters_add_to_numbers(tmp_path: Path, mode: str) -> None:
    files = Files(tmp_path, "numeric")
    Files.write(files.truth, [("task", "label"), *((f"t{n}", str(7 + n % 7)) for n in range(TASKS))])
    without, gold = files.evaluate("--mode", mode)["mae"], files.evaluate("--gold", "20", "--mode", mode)["mae"]
    assert without == pytest.approx(3, abs=0.5)
    assert gold < without / 2


@KINDS
def test_of_repeats_by_one_worker_the_last_wins(tmp_path: Path, kind: str) -> None:
    files = Files(tmp_path, kind)
    before = files.evaluate()
    repeated = files.answers.read_text().splitlines()[1:]
    header = "task,worker,label"
    wrong = [f"{row.split(',')[0]},{row.split(',')[1]},{_right(kind, 1)}" for row in repeated]
    files.answers.write_text("\n".join([header, *wrong, *repeated]) + "\n")
    after = files.evaluate()
    for figure in ALWAYS | _JUDGED[kind]:
        if figure not in {"seconds", "peak_mb"}:
            assert after[figure] == pytest.approx(before[figure]), figure


@pytest.mark.parametrize("kind", ["choice", "multilabel", "spans", "text"])
def test_a_task_that_nobody_answered_counts_as_not_found(tmp_path: Path, kind: str) -> None:
    files = Files(tmp_path, kind)
    before = files.evaluate()
    Files.write(files.truth, [(f"unseen{n}", _right(kind, n)) for n in range(TASKS)], "a")
    after = files.evaluate()
    assert after["tasks"] == 2 * TASKS
    worse = "wer" if kind == "text" else "accuracy"
    assert (after[worse] > before[worse]) == (kind == "text")


def test_the_answers_used_are_limited_by_chance(tmp_path: Path) -> None:
    found = Files(tmp_path, "choice").evaluate("--limit-answers", "2")
    assert (found["answers"], found["answers_used"]) == (4 * TASKS, 2 * TASKS)


@MODES
def test_preferences_are_measured_on_votes_held_out(tmp_path: Path, mode: str) -> None:
    chance, answers = random.Random(3), tmp_path / "answers.csv"
    rows = [("task", "worker", "label")]
    for n in range(200):
        left, right = chance.sample(range(6), 2)
        said = "left" if (left < right) == (chance.random() < 0.85) else "right"
        rows.append((f"q{n}:{left}|{right}", f"w{n % 9}", said))
    Files.write(answers, rows)
    done = CliRunner().invoke(app, ["evaluate", "--kind", "preference", "--answers", str(answers), "--mode", mode])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["log_loss"] < 0.65


def test_asking_while_an_answer_is_worth_its_price_saves_some(tmp_path: Path) -> None:
    files = Files(tmp_path, "choice")
    given = ["--answers", str(files.answers), "--truth", str(files.truth)]
    dear, cheap = (
        json.loads(CliRunner().invoke(app, ["simulate-overlap", *given, "--price", price]).stdout.splitlines()[-1])
        for price in ("0.05", "0.000001")
    )
    assert {"saving", "accuracy", "accuracy_full"} <= dear.keys()
    assert dear["saving"] > cheap["saving"] >= 0


def test_made_up_bad_raters_are_told_from_real_ones(tmp_path: Path) -> None:
    answers = tmp_path / "many.csv"
    chance = random.Random(4)
    rows = [("task", "worker", "label")]
    for n in range(300):
        for worker in chance.sample(range(20), 5):
            rows.append((f"t{n}", f"w{worker}", "ab"[n % 2] if chance.random() < 0.85 else "ba"[n % 2]))
    Files.write(answers, rows)
    done = CliRunner().invoke(app, ["spam", "--answers", str(answers), "--habit", "random"])
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"auc", "precision", "recall", "flagged_honest"} <= found.keys()
    assert found["auc"] > 0.9
    assert found["flagged_honest"] == 0


@KINDS
def test_a_file_without_answers_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    files = Files(tmp_path, kind)
    Files.write(files.answers, [("task", "worker", "label")])
    done = CliRunner().invoke(app, ["evaluate", "--kind", kind, "--answers", str(files.answers)])
    assert done.exit_code == 2
    assert "has no answers" in joined(done.output)


@MODES
def test_where_all_say_the_same_there_is_nothing_to_learn(tmp_path: Path, mode: str) -> None:
    files = Files(tmp_path, "choice")
    Files.write(
        files.answers, [("task", "worker", "label"), *((f"t{n}", f"w{k}", "a") for n in range(4) for k in "xyz")]
    )
    Files.write(files.truth, [("task", "label"), ("t0", "a"), ("t1", "b"), ("t2", "a"), ("unseen", "c")])
    found = files.evaluate("--mode", mode)
    assert (found["accuracy"], found["majority_accuracy"]) == (0.5, 0.5)
