"""What Kafka's client says of itself: where a broker refuses, it says the same twenty times a second, and we do not."""

from __future__ import annotations

import logging
import re
import time

kafka_log = logging.getLogger("librdkafka")
"""Where clients write whenever they are polled; without a logger they write to stderr by themselves.

Whoever gives up on a client polls it once more, so that it can say why.
"""

_EVERY_SECONDS = 10.0
_MOST_TEXTS = 100
# Clients, connections, times: what differs between two lines that say the same.
_PASSING = re.compile(r"\(after [^)]*\)|\d+")


class Sparing(logging.Filter):
    """Lets what was said already pass once in ten seconds, with how often it was said meanwhile."""

    def __init__(self) -> None:
        """Remembers nothing yet."""
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        text = record.getMessage()
        # It warns at each start that `enable.gapless.guarantee` is experimental, which is known.
        if "CONFWARN" in text:
            return False
        now, alike = time.monotonic(), _PASSING.sub("", text)
        last, withheld = self._said.get(alike, (now - _EVERY_SECONDS, 0))
        if now - last < _EVERY_SECONDS:
            self._said[alike] = last, withheld + 1
            return False
        if len(self._said) >= _MOST_TEXTS:
            self._said.clear()
        self._said[alike] = now, 0
        if withheld:
            record.msg, record.args = f"{text} (and {withheld} times since the last such line)", ()
        return True


kafka_log.addFilter(Sparing())
