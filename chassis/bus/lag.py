"""How far behind a consumer is by the time that its records carry, which is what those feel who wait."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from prometheus_client import Counter as Counted

from chassis.bus.intake import Record
from chassis.telemetry import metrics


class TimeLag:
    """Time lag by topic, of the records in hand, and how many were done in time.

    It grows while a batch is held, and is 0 once nothing is left to fetch. A record whose time is none, or lies in the
    future, is as old as if it came this moment.
    """

    def __init__(self, topics: Iterable[str], clock: Callable[[], float] = time.time) -> None:
        """Takes the topics that are consumed; `clock` gives seconds since 1970."""
        self._clock = clock
        self._oldest: dict[str, float] = {}
        self._done = {topic: (_records(topic, "yes"), _records(topic, "no")) for topic in topics}
        for topic in self._done:
            metrics.CONSUMER_TIME_LAG.labels(topic).set_function(partial(self.seconds, topic))

    def seconds(self, topic: str) -> float:
        """How old the oldest record in hand is; of those that are done, while others may wait behind them."""
        oldest = self._oldest.get(topic)
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest)

    def took(self, records: Sequence[Record]) -> None:
        """These are in hand now; none means that nothing is left."""
        oldest: dict[str, float] = {}
        for record in records:
            if record.time < oldest.get(record.topic, record.time + 1) and record.time > 0:
                oldest[record.topic] = record.time
        self._oldest = oldest

    def did(self, records: Sequence[Record]) -> None:
        """These are done."""
        due = self._clock() - metrics.IN_TIME_SECONDS
        everything = Counter(record.topic for record in records)
        late = Counter(record.topic for record in records if 0 < record.time < due)
        for topic, number in everything.items():
            if counted := self._done.get(topic):
                in_time, too_late = counted
                in_time.inc(number - late[topic])
                too_late.inc(late[topic])


def _records(topic: str, in_time: str) -> Counted:
    return metrics.CONSUMER_RECORDS.labels(topic, in_time)
