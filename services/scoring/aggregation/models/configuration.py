"""Every constant of the batch engine for choices, with its reason: one configuration for all projects.

None is tuned to one data set. Those of the models' priors, the weights and the temperature were chosen on thirteen
public sets together, where neighbouring values do alike; `make bench DATASETS=DIR` refits weights and temperature
without the set that it measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Member:
    """One model of the mixture: a confusion matrix a rater, over one or more subtypes of each class."""

    subtypes: int
    """Subtypes of each class. Hard tasks of a class form their own, so their errors are no longer taken for another
    class: without them a full confusion matrix loses eight points where raters err together."""
    strength: float
    """Pseudo-votes that draw each row of a rater's matrix towards the prior row."""
    pooled: bool
    """Whether the prior row is the whole crowd's; otherwise it is the rater's own one-coin row."""
    doubt: float
    """Pseudo-votes for every label of every row alike: a rater of whom little is known weighs little."""
    learns_prior: bool
    """Whether class frequencies are learned; otherwise they are those of the labels given."""

    @property
    def shape(self) -> tuple[int, float, float]:
        """Subtypes, strength and doubt."""
        return self.subtypes, self.strength, self.doubt


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the mixture is made of."""

    crowd: Member = Member(subtypes=1, strength=4.0, pooled=True, doubt=0.0, learns_prior=True)
    subtype: Member = Member(subtypes=3, strength=4.0, pooled=False, doubt=1.0, learns_prior=False)
    right: float = 6.0
    """Votes that the crowd is taken to have got right, and (`wrong`) not, before the first answer."""
    wrong: float = 2.0
    concentration: float = 0.1
    """Dirichlet mass over the subtypes of a class, in all (Li, Rubinstein and Cohn 2019)."""
    weights: tuple[float, float, float, float] = (2.0, 3.0, 1.0, 2.0)
    """Weights of vote share, one coin, crowd and subtype models in the mixture."""
    temperature: float = 1.3
    """The power 1 / T to which the mixture is taken where there is no gold: what raters err in together makes every
    model too sure."""
    trust_temperature: float = 6.0
    """How many squared nats of log likelihood it takes to move the log of the temperature by one, when gold says so;
    `trust_bias` and `trust_weights` likewise for the bias of a class and the log of a model's weight."""
    trust_bias: float = 8.0
    trust_weights: float = 0.5
    gain: float = 1.5
    """Nats that gold must speak for other biases and weights before decisions follow: between what one parameter brings
    by chance (1, Akaike 1974) and what it brings once in twenty times (1.92), as trust leaves them about as free.
    So gold does no harm where it has nothing to teach."""
    sweeps: int = 100
    effort: float = 5e7
    """Votes that a fit may sweep in all: a hundred sweeps of half a million votes, five of ten million, which begin
    with what a sample has taught."""
    settled: float = 1e-5
    """A fit ends when the posteriors moved by less than this, mean over tasks."""
    large: int = 500_000
    """Votes from which a fit begins with what one task in `sample` has taught: that costs an eighth a sweep."""
    sample: int = 8
    growth: float = 0.1
    """A pool is fitted as a whole when its votes have grown by this share since: eleven fits in all, by then, for each
    vote."""
    cells: int = 1 << 26
    """The largest table (raters x labels x subtypes) that is held: beyond, the one-coin model stands in."""

    @property
    def members(self) -> tuple[Member, Member]:
        """The models with confusion matrices, in the order of the mixture."""
        return self.crowd, self.subtype

    def holds(self, member: Member, workers: int, classes: int) -> bool:
        """Whether a model's table of so many raters and labels is held."""
        return workers * classes**2 * member.subtypes <= self.cells

    def fit_at(self, votes: int) -> int:
        """So many votes call for another fit of a pool that was fitted with `votes`."""
        return max(ceil((1 + self.growth) * votes), votes + 1)

    def fresh(self, correct: float, total: float) -> tuple[float, float]:
        """The Beta prior of a rater's one coin: as much as `right` and `wrong` weigh, with the mean of the crowd.

        Of `total` votes of all raters `correct` are right; empirical Bayes, so that how hard a project is, is learned.
        """
        votes = self.right + self.wrong
        mean = (correct + self.right) / (total + votes)
        return votes * mean, votes * (1 - mean)

    def sweeps_of(self, votes: int) -> int:
        """How many sweeps a fit of so many votes may take."""
        return int(min(self.sweeps, max(self.effort / max(votes, 1), 1)))


DEFAULT = Configuration()
