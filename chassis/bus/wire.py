"""A record as the client hands it over, also where the client cannot read all of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from operator import methodcaller
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from chassis.bus.intake import RawHeaders, Record

# What the client says of records that it cannot read. It would fetch them again, and say so again, for ever: whoever
# reads on must step over them.
_UNREADABLE = {KafkaError._BAD_COMPRESSION, KafkaError._BAD_MSG, KafkaError._NOT_IMPLEMENTED}


# Where the name of a header is not UTF-8, the client sets an error and gives a list with holes all the same; to look
# into one of these ends the process. So it is asked for once; and by this, as the interpreter does not check for such
# an error where a frequent call is written out as usual: it would come up anywhere later.
_headers = methodcaller("headers")


def record_of(message: Message, topic: str) -> Record:
    """The record in a message of the client; `topic` is without a prefix."""
    place = topic, message.partition() or 0, message.offset() or 0
    time = message.timestamp()[1] / 1000
    if unreadable(message.error()):
        return Record(*place, None, None, (), fault="The client cannot read the record, or unpack the batch it is in.")
    try:
        headers = _headers(message)
    except Exception:
        return Record(*place, message.key(), message.value(), (), fault="The name of a header is not UTF-8.", time=time)
    return Record(*place, message.key(), message.value(), cast(RawHeaders, headers or ()), time=time)


def unreadable(error: KafkaError | None) -> bool:
    """Whether an error of the client stands for records at its offset that it cannot read."""
    return error is not None and error.code() in _UNREADABLE


class StepOver:
    """Moves a client on behind records that it cannot read."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def step(self, client: Consumer, messages: Iterable[Message]) -> None:
        """Has the next fetch begin one record further on.

        Of a batch that cannot be unpacked the client always names the first record, so it takes a step for each; and it
        may have named it several times before it was moved on.
        """
        at = {(message.topic() or "", message.partition() or 0): message.offset() or 0 for message in messages}
        for place, offset in at.items():
            self._next[place] = max(offset, self._next.get(place, 0)) + 1
            with suppress(KafkaException):  # the partition has been given away meanwhile
                client.seek(TopicPartition(*place, self._next[place]))
