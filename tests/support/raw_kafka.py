"""Records of any bytes into Kafka, past what the Python client lets through: names of headers, times, compression.

It speaks to the librdkafka that the client brings along, by C calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from chassis.bus.brokers import Brokers, Settings, client_settings
from deploy.local.mock_broker import librdkafka

Headers = Sequence[tuple[bytes, bytes | None]]

_PRODUCER = 0
_TOPIC, _PARTITION, _VALUE, _KEY, _OPAQUE, _FLAGS, _TIME, _HEADERS = 1, 3, 4, 5, 6, 7, 8, 10
_COPY = 2
_FLUSH_MS = 30_000


class _Memory(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Value(ctypes.Union):
    _fields_ = (
        ("text", ctypes.c_char_p),
        ("number", ctypes.c_int32),
        ("flags", ctypes.c_int),
        ("time", ctypes.c_int64),
        ("opaque", ctypes.c_void_p),
        ("memory", _Memory),
        ("headers", ctypes.c_void_p),
        ("padding", ctypes.c_char * 64),
    )


class _Argument(ctypes.Structure):
    """`rd_kafka_vu_t`: one argument of `rd_kafka_produceva`."""

    _fields_ = (("kind", ctypes.c_int), ("value", _Value))


class _Report(ctypes.Structure):
    """`rd_kafka_message_t`, as it is given to who wants to know what became of a record."""

    _fields_ = (
        ("error", ctypes.c_int),
        ("topic", ctypes.c_void_p),
        ("partition", ctypes.c_int32),
        ("value", ctypes.c_void_p),
        ("value_size", ctypes.c_size_t),
        ("key", ctypes.c_void_p),
        ("key_size", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
        ("opaque", ctypes.c_void_p),
    )


_Told = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_Report), ctypes.c_void_p)


class RawProducer:
    """Writes records as they are told; `places` are where they went, as topic, partition and offset, by their numbers.

    A record that the broker refuses has none.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        """Use `raw_producer`."""
        self.places: dict[int, tuple[str, int, int]] = {}
        self._library = library
        self._topics: list[str] = []
        self._told = _Told(self._note)
        self._handle = 0

    def open(self, settings: Settings) -> None:
        """Makes the client."""
        library, error = self._library, ctypes.create_string_buffer(512)
        config = library.rd_kafka_conf_new()
        for name, value in settings.items():
            option, text = name.encode(), str(value).encode()
            assert library.rd_kafka_conf_set(config, option, text, error, len(error)) == 0, error.value
        library.rd_kafka_conf_set_dr_msg_cb(config, self._told)
        self._handle = library.rd_kafka_new(_PRODUCER, config, error, len(error))
        assert self._handle, error.value

    def close(self) -> None:
        """Gives the client up, and what it has not written."""
        self._library.rd_kafka_destroy(self._handle)

    def write(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers = (),
        *,
        partition: int = -1,
        time_ms: int | None = None,
    ) -> int:
        """Queues a record; returns its number, from 0. Raises `AssertionError` for one that the client refuses."""
        self._topics.append(topic)
        arguments = [
            _argument(_OPAQUE, opaque=len(self._topics)),
            _argument(_TOPIC, text=topic.encode()),
            _argument(_PARTITION, number=partition),
            _argument(_FLAGS, flags=_COPY),
        ]
        held = [ctypes.create_string_buffer(raw, len(raw) or 1) for raw in (value, key) if raw is not None]
        kinds = [(kind, len(raw)) for kind, raw in ((_VALUE, value), (_KEY, key)) if raw is not None]
        for (kind, size), buffer in zip(kinds, held, strict=True):
            arguments.append(_argument(kind, memory=_Memory(ctypes.addressof(buffer), size)))
        if time_ms is not None:
            arguments.append(_argument(_TIME, time=time_ms))
        if headers:
            arguments.append(_argument(_HEADERS, headers=self._headers(headers)))
        error = self._library.rd_kafka_produceva(self._handle, (_Argument * len(arguments))(*arguments), len(arguments))
        assert not error, self._library.rd_kafka_error_string(error)
        return len(self._topics) - 1

    def flush(self) -> None:
        """Waits until everything has been acknowledged, or given up, by the broker."""
        assert self._library.rd_kafka_flush(self._handle, _FLUSH_MS) == 0

    def _note(self, _: object, report: ctypes._Pointer[_Report], __: object) -> None:
        told = report.contents
        if not told.error:
            number = told.opaque - 1
            self.places[number] = (self._topics[number], told.partition, told.offset)

    def _headers(self, headers: Headers) -> int:
        made: int = self._library.rd_kafka_headers_new(len(headers))
        for name, value in headers:
            assert not self._library.rd_kafka_header_add(made, name, len(name), value, len(value or b""))
        return made


@contextmanager
def raw_producer(brokers: Brokers, **settings: str) -> Iterator[RawProducer]:
    """A producer with settings of librdkafka, dots written as underscores; all is written when the body is done."""
    named = {name.replace("_", "."): value for name, value in settings.items()}
    producer = RawProducer(_library())
    producer.open({**client_settings(brokers), "message.max.bytes": "100000000", "linger.ms": "1", **named})
    try:
        yield producer
        producer.flush()
    finally:
        producer.close()


def _argument(kind: int, **value: object) -> _Argument:
    return _Argument(kind, _Value(**value))


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(librdkafka()))
    pointer, text, number, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
    signatures: dict[str, tuple[object, ...]] = {
        "rd_kafka_conf_new": (pointer,),
        "rd_kafka_conf_set": (number, pointer, text, text, pointer, size),
        "rd_kafka_conf_set_dr_msg_cb": (None, pointer, _Told),
        "rd_kafka_new": (pointer, number, pointer, text, size),
        "rd_kafka_headers_new": (pointer, size),
        "rd_kafka_header_add": (number, pointer, text, ctypes.c_ssize_t, text, ctypes.c_ssize_t),
        "rd_kafka_produceva": (pointer, pointer, ctypes.POINTER(_Argument), size),
        "rd_kafka_error_string": (text, pointer),
        "rd_kafka_flush": (number, pointer, number),
        "rd_kafka_destroy": (None, pointer),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
