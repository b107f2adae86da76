"""Questions of tasks as items of a pool: their votes become arrays for a step, and what it finds becomes findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation.kinds.choice import consensus as choice
from services.scoring.aggregation.kinds.choice import overlap
from services.scoring.aggregation.live.pool import Gone, Pool, Votes
from services.scoring.aggregation.live.pool import warm_up as warm_up_pool
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.calibration import mix
from services.scoring.aggregation.models.confusion import crowd_rows
from services.scoring.aggregation.models.crowd import Floats, Ints
from services.scoring.aggregation.tasks.sheet import Flags, Kept, New, Sheet, pack_answer, pack_stated, unpack
from services.scoring.aggregation.types.aggregator import Aggregator
from services.scoring.domain.consensus import Finding
from services.scoring.domain.votes import Ballot


class Item(NamedTuple):
    """A question of a task."""

    question: Question
    aggregator: Aggregator
    remaining: int
    """How many answers may still come."""


@dataclass(frozen=True, slots=True)
class Part:
    """The items of a sheet that one pool has, and its votes on them."""

    sheet: Sheet
    items: Ints
    """The numbers of the items, rising."""
    item: Ints
    """Of all votes of the sheet, the place of its item among these; -1: it is another pool's."""
    cast: Ints
    """The votes that stand and name a label, by item; first those that the pool counts."""
    gone: Ints
    """The votes that the pool counts and that do not stand any more."""
    abstained: Ints
    """How many answers to each item stand that could not assess it."""

    @property
    def experts(self) -> Ints:
        """Everybody whose votes a step of these items touches, by number."""
        return np.unique(self.sheet.expert[self.sheet.answer[np.concatenate((self.cast, self.gone))]])

    def heard(self, muted: Ints) -> Part:
        """Without the votes of these experts, which the pool has never counted."""
        cast, gone = (votes[~np.isin(self._expert(votes), muted)] for votes in (self.cast, self.gone))
        return replace(self, cast=cast, gone=gone)

    def votes(self, experts: Ints) -> Votes:
        """What stands, for a pool whose raters are these experts and whose items these, in their order."""
        sizes, known = (
            np.bincount(self.item[votes], minlength=len(self.items))
            for votes in (self.cast, self.cast[self.sheet.known[self.sheet.answer[self.cast]]])
        )
        starts = np.concatenate(([0], np.cumsum(sizes)))
        worker = np.searchsorted(experts, self._expert(self.cast)).astype(np.int32)
        label = self.sheet.label[self.cast].astype(np.int32)
        return Votes(np.arange(len(self.items)), starts, known, worker, label)

    def withdrawn(self, experts: Ints) -> Gone:
        """What has gone, in the same numbers."""
        label = self.sheet.label[self.gone]
        return Gone(self.item[self.gone], np.searchsorted(experts, self._expert(self.gone)), label)

    def _expert(self, votes: Ints) -> Ints:
        return self.sheet.expert[self.sheet.answer[votes]]


def parts(sheet: Sheet, stand: Flags, pools: Ints) -> list[Part]:
    """The parts of a sheet by pool: `pools` is the number of each item's, from 0; `stand` tells which answers do."""
    standing, named = stand[sheet.answer], sheet.label >= 0
    cast = sheet.by_item(standing & named, ~sheet.known[sheet.answer])
    stood = sheet.standing(sheet.known)[sheet.answer]
    gone = np.flatnonzero(stood & ~standing & named)
    abstained = np.bincount(sheet.item[standing & ~named & sheet.human], minlength=len(pools))
    found = []
    for pool in range(int(pools.max(initial=-1)) + 1):
        items = np.flatnonzero(pools == pool)
        place = np.full(len(pools), -1)
        place[items] = np.arange(len(items))
        own = place[sheet.item]
        found.append(Part(sheet, items, own, cast[own[cast] >= 0], gone[own[gone] >= 0], abstained[items]))
    return found


def step(pool: Pool, part: Part, some: Sequence[Item], experts: Ints) -> tuple[list[Finding], NDArray[np.float32]]:
    """One step of the pool, whose raters are these experts: what is found of each item, and the weight of each vote
    that is cast, in nats.
    """
    votes = part.votes(experts)
    weight = pool.coin.weights(pool.classes, pool.config)
    pool.step(votes, part.withdrawn(experts))
    return _findings(pool, part, some, votes), weight[votes.worker]


def look(pool: Pool, part: Part, some: Sequence[Item], experts: Ints) -> tuple[list[Finding], NDArray[np.float32]]:
    """The same by what the pool holds of the items, without a step; all their votes are counted."""
    votes = part.votes(experts)
    return _findings(pool, part, some, votes), pool.coin.weights(pool.classes, pool.config)[votes.worker]


def _findings(pool: Pool, part: Part, some: Sequence[Item], votes: Votes) -> list[Finding]:
    cells = part.item[part.cast] * pool.classes + votes.label
    members = pool.members(votes.item, _counts(cells, len(some), pool.classes))
    # Models are heard, and that is all: what is said, and whether all say the same, is for experts.
    human = part.sheet.human[part.cast]
    ends = np.concatenate(([0], np.cumsum(human)))[votes.starts]
    strengths = part.sheet.stated["strength"][part.cast]
    ballots = list(map(Ballot, votes.label[human].tolist(), strengths[human].tolist()))
    cast = [ballots[a:b] for a, b in pairwise(ends.tolist())]

    def at_a_draw(place: int, leading: Sequence[int]) -> int:
        return some[place].aggregator.at_a_draw(some[place].question, leading, cast[place])

    posterior = mixture.calibrated(members, None, pool.config)
    found = choice.consensus(
        posterior, _counts(cells[human], len(some), pool.classes), _worth(pool, members, some), at_a_draw
    )
    return [
        Finding(consensus if said else None, said, abstained)
        for consensus, said, abstained in zip(found, cast, part.abstained.tolist(), strict=True)
    ]


def _counts(cells: Ints, items: int, classes: int) -> Floats:
    """The votes for each label of each item, from the numbers of their cells."""
    return np.bincount(cells, minlength=items * classes).reshape(items, classes).astype(np.float64)


def _worth(pool: Pool, members: Floats, some: Sequence[Item]) -> Floats:
    """What one more answer to each item is worth: by the models themselves, as they see what the mixture softens."""
    sharp = mix(members[1:], np.array(pool.config.weights[1:]))
    remaining = np.array([item.remaining for item in some], dtype=np.int64)
    return overlap.worth(sharp, crowd_rows(pool.matrices[0].crowd), remaining)


def warm_up(aggregator: Aggregator) -> None:
    """Has the kernels of a step compiled, or loaded where they are, so that the first answers need not wait for it."""
    warm_up_pool()
    first = New(0, pack_answer(UUID(int=1), UUID(int=2), 0, 0, surplus=False), pack_stated([(0, 0)]))
    sheet = unpack([Kept(b"", b"")], [1], [first])
    [part] = parts(sheet, sheet.standing(), np.zeros(1, dtype=np.int64))
    step(Pool.empty(1, 1, 2), part, [Item(Question(), aggregator, 1)], part.experts)
