"""Runs crowd-kit on one set, in an environment of its own: `python compared_run.py answers.csv truth.csv`.

Prints one line of JSON: the accuracy of each method in per cent. Repeats by a worker count once, the last of them.
"""

import json
import sys

import pandas as pd
from crowdkit.aggregation import DawidSkene, MajorityVote, OneCoinDawidSkene

METHODS = {
    "majority": MajorityVote(),
    "dawid-skene": DawidSkene(n_iter=100),
    "one-coin": OneCoinDawidSkene(n_iter=100),
}


def main(answers: str, truth: str) -> None:
    rows = pd.read_csv(answers, dtype=str, keep_default_na=False)[["task", "worker", "label"]]
    rows = rows.drop_duplicates(["task", "worker"], keep="last")
    known = pd.read_csv(truth, dtype=str, keep_default_na=False).set_index("task")["label"]
    found = {name: method.fit_predict(rows).reindex(known.index) for name, method in METHODS.items()}
    sys.stdout.write(json.dumps({name: float((some == known).mean() * 100) for name, some in found.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
