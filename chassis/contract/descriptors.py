"""Finds the descriptors of the contracts in the generated code."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module

from google.protobuf.descriptor import Descriptor, FileDescriptor, ServiceDescriptor


class ContractError(Exception):
    """The contracts break a rule that the chassis stands on; the message names every place. Do not start."""

    @staticmethod
    def raise_for(problems: Iterable[str]) -> None:
        """Raises if there are any problems, with all of them in the message."""
        if found := list(problems):
            raise ContractError("\n".join(found))


@cache
def files(package: str = "preceptor") -> tuple[FileDescriptor, ...]:
    """The contract files of a package and of those below it, by name.

    Raises `ContractError` if there are none, as when ``make proto`` has not run.
    """
    try:
        path = import_module(package).__path__
    except ModuleNotFoundError as error:
        raise ContractError(f"there is no generated code for {package}: run `make proto`") from error
    modules = [info.name for info in pkgutil.walk_packages(path, f"{package}.") if info.name.endswith("_pb2")]
    return tuple(import_module(name).DESCRIPTOR for name in sorted(modules))


def messages(file: FileDescriptor) -> Iterator[Descriptor]:
    """All messages that a file declares, nested ones too."""
    return _with_nested(file.message_types_by_name.values())


def services(package: str) -> Iterator[ServiceDescriptor]:
    """The gRPC services of a package."""
    for file in files(package):
        yield from file.services_by_name.values()


def owner_of(package: str) -> str:
    """The service that owns a package: "tasking" for "preceptor.tasking.v1"."""
    return package.split(".")[1]


def _with_nested(declared: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for message in declared:
        yield message
        yield from _with_nested(message.nested_types)
