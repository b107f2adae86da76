"""How the consensus on a question was reached, as lines that a person can check with a pocket calculator.

What is shown to three places is kept to more, so a check by hand may differ in the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple
from uuid import UUID

from services.scoring.domain.credentials import Attested
from services.scoring.domain.models import is_model

SHARE, COIN = "vote share", "one coin"
MOST_IN_WORDS = 2_500
"""Votes of a task whose weights are told in words: a hundred answers to a hundred questions fit into no reply."""
_NEAR = 0.001
"""Probabilities that differ by less are told as the same."""


class Rater(NamedTuple):
    """What is known of a rater here: votes taken to be right and wrong before any here, then those here, right
    (expected) and in all, then questions of gold tasks, right and in all.
    """

    prior_right: float
    prior_wrong: float
    right: float = 0.0
    total: float = 0.0
    gold_right: float = 0.0
    gold_total: float = 0.0

    @property
    def skill(self) -> float:
        """How often the rater is taken to be right."""
        return (self.right + self.prior_right) / (self.total + self.prior_right + self.prior_wrong)

    def weight(self, classes: int) -> float:
        """The evidence of a vote for its own label, in nats."""
        return log(self.skill * (classes - 1) / (1 - self.skill))


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote that stands, with the evidence that it brought when its task was scored last, in nats.

    What is `attested` of its rater and says something is part of what is assumed before any vote here.
    """

    answer_id: UUID
    label: int
    weight: float
    rater: Rater
    attested: Attested | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What a model of the mixture holds of each label; no prior where it knows none."""

    name: str
    weight: float
    prior: Sequence[float]
    posterior: Sequence[float]


@dataclass(frozen=True, slots=True)
class Explained:
    """A question with all that its consensus stands on. `told` is the label told, none if nobody could assess it;
    `set_aside` are the answers that have no weight while a person looks at their raters.
    """

    question: str
    labels: Sequence[str]
    told: int | None
    votes: Sequence[Cast]
    set_aside: Sequence[UUID]
    abstained: int
    models: Sequence[Model]
    temperature: float
    probabilities: Sequence[float]

    @property
    def confidence(self) -> float:
        """The probability of the label told by what is held now; 0 where there is none."""
        return self.probabilities[self.told] if self.told is not None and self.probabilities else 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What was told last of a task as a whole."""

    version: int
    confidence: float


def arithmetic(explained: Explained, most_votes: int = MOST_IN_WORDS) -> list[str]:
    """The lines of a question, from its votes to its probabilities; of so many votes in words, of others in numbers."""
    if not explained.votes:
        return [*_set_aside(explained), f"No vote to add up: {explained.abstained} experts could not assess it."]
    if not explained.models:
        return ["The project is about to be scored anew as a whole, and until then there is nothing to show."]
    votes = _votes(explained, most_votes)
    return [*votes, *_set_aside(explained), *_models(explained), *_mixture(explained), *_power(explained)]


def arithmetic_of_task(questions: Sequence[Explained], told: Told) -> list[str]:
    """The lines of a task: it is as sure as its least sure question."""
    sure = {each.question: each.confidence for each in questions}
    least = min(sure, key=lambda question: sure[question])
    told_at = f"told in version {told.version}: {told.confidence:.3f}"
    if abs(sure[least] - told.confidence) < _NEAR:
        return [f"task: as sure as its least sure question, {least}: {sure[least]:.3f}; {told_at}"]
    return [
        f"task: as sure as its least sure question, {least}, by what is held now: {sure[least]:.3f}",
        f"{told_at}; what is known of the project's raters has changed since, and no new version was called for",
    ]


def _votes(explained: Explained, most: int) -> Iterator[str]:
    """How each vote's weight follows from what is known of the rater."""
    classes = len(explained.labels)
    if left_out := explained.votes[most:]:
        yield f"{len(left_out)} more votes have weights by the same arithmetic of the numbers that are told with them"
    for vote in explained.votes[:most]:
        rater, now = vote.rater, vote.rater.weight(classes)
        known = rater.total + rater.prior_right + rater.prior_wrong
        whose = ", a model's prediction," if is_model(vote.answer_id) else ""
        line = (
            f"answers/{vote.answer_id}{whose} says {explained.labels[vote.label]}: before any vote here the rater is "
            f"taken to have got {rater.prior_right:.2f} right and {rater.prior_wrong:.2f} wrong, here "
            f"{rater.right:.2f} of {rater.total:.0f} right: ({rater.prior_right:.2f} + {rater.right:.2f}) / "
            f"{known:.2f} = {rater.skill:.3f}; ln({rater.skill:.3f} x {classes - 1} / {1 - rater.skill:.3f}) = "
            f"{now:.2f} nats"
        )
        yield line if abs(now - vote.weight) < _NEAR else f"{line} now, {vote.weight:.2f} when the task was scored last"
        if vote.attested:
            yield _attested(vote.answer_id, vote.attested)


def _attested(answer_id: UUID, told: Attested) -> str:
    return (
        f"answers/{answer_id}, among what is assumed before any vote here: its rater is attested {told.claim}, by now "
        f"worth {told.votes:.2f} votes, as its other holders are right {told.rate:.3f} where the usual rater is "
        f"{told.usual:.3f}"
    )


def _set_aside(explained: Explained) -> Iterator[str]:
    for answer_id in explained.set_aside:
        yield f"answers/{answer_id} has no weight while a person looks at how its rater works"


def _models(explained: Explained) -> Iterator[str]:
    for model in explained.models:
        if model.name == SHARE:
            shares = (_share(explained, label) for label in range(len(explained.labels)))
            yield f"{SHARE}: {', '.join(shares)}"
        elif model.name == COIN:
            yield from _coin(explained, model)
        else:
            prior, held = _listed(explained, model.prior), _listed(explained, model.posterior)
            yield f"{model.name}: by how labels are confused, from {prior} before any vote to {held}, as held"


def _share(explained: Explained, label: int) -> str:
    given = sum(vote.label == label for vote in explained.votes)
    return f"{explained.labels[label]} {given} / {len(explained.votes)} = {given / len(explained.votes):.3f}"


def _coin(explained: Explained, model: Model) -> Iterator[str]:
    """Bayes' rule in logarithms. What is held was made by the raters' records of its moment, which the votes tell."""
    scores = []
    for label, prior in enumerate(model.prior):
        brought = [vote.weight for vote in explained.votes if vote.label == label]
        scores.append(log(prior) + sum(brought))
        votes = f"votes bring {_added(brought)} nats" if brought else "no votes"
        yield (
            f"{COIN}, {explained.labels[label]}: prior {prior:.3f}, ln = {log(prior):.2f}; {votes}; "
            f"together {scores[-1]:.2f}"
        )
    odds = [exp(score - max(scores)) for score in scores]
    found = [each / sum(odds) for each in odds]
    terms = (
        f"e^({score:.2f} - {max(scores):.2f}) = {each:.3f} for {label}"
        for score, each, label in zip(scores, odds, explained.labels, strict=True)
    )
    yield f"{COIN}: {', '.join(terms)}; each over their sum {sum(odds):.3f}: {_listed(explained, found)}"
    if max(abs(a - b) for a, b in zip(found, model.posterior, strict=True)) >= _NEAR:
        yield (
            f"{COIN}, as held, which is what counts: {_listed(explained, model.posterior)}; made by what was known of "
            "raters and labels when the task or its project was scored last"
        )


def _mixture(explained: Explained) -> Iterator[str]:
    whole = sum(model.weight for model in explained.models)
    for number, label in enumerate(explained.labels):
        terms = " + ".join(f"{model.weight:g} x {model.posterior[number]:.3f}" for model in explained.models)
        yield f"mixture, {label}: ({terms}) / {whole:g} = {_mixed(explained, number):.3f}"


def _power(explained: Explained) -> Iterator[str]:
    mixed = [_mixed(explained, number) for number in range(len(explained.labels))]
    raised = [each ** (1 / explained.temperature) for each in mixed]
    terms = (
        f"{each:.3f}^(1 / {explained.temperature:g}) = {power:.3f} for {label}"
        for each, power, label in zip(mixed, raised, explained.labels, strict=True)
    )
    yield f"power: {', '.join(terms)}; sum {sum(raised):.3f}"
    yield f"probabilities, each over the sum: {_listed(explained, explained.probabilities)}"


def _mixed(explained: Explained, label: int) -> float:
    whole = sum(model.weight for model in explained.models)
    return sum(model.weight * model.posterior[label] for model in explained.models) / whole


def _listed(explained: Explained, values: Sequence[float]) -> str:
    return ", ".join(f"{label} {value:.3f}" for label, value in zip(explained.labels, values, strict=True))


def _added(brought: Sequence[float]) -> str:
    terms = " + ".join(f"{weight:.2f}" if weight >= 0 else f"({weight:.2f})" for weight in brought)
    return terms if len(brought) == 1 else f"{terms} = {sum(brought):.2f}"
