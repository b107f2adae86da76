"""No event is published into the void: each has a reaction, or says that it is for the outside."""

from importlib import import_module

import pytest
from preceptor.identity.v1.events_pb2 import Revoked

from chassis.contract.events import catalogue, event_type
from tests.contract.source_tree import services


def reacts_to(service: str) -> set[str]:
    reactions = import_module(f"services.{service}.service").SERVICE.reactions
    return {event_type(event).name for event in reactions}


@pytest.mark.parametrize("service", services())
def test_a_service_reacts_to_events_of_others_only(service: str) -> None:
    assert [name for name in reacts_to(service) if catalogue()[name].owner == service] == []


def test_every_event_has_a_consumer_or_is_public() -> None:
    if set(services()) < {event.owner for event in catalogue().values()}:
        return  # While services are being written, their consumers are not there to be counted.
    # Read by every process that takes tokens, without a reaction: see chassis/process.py.
    consumed = {event_type(Revoked).name}.union(*map(reacts_to, services()))
    assert [event.name for event in catalogue().values() if not event.public and event.name not in consumed] == []
