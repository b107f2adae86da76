"""The Kafka topics of the event catalogue as manifests for Strimzi's topic operator."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from chassis.bus.topics import Topic, topics_of
from chassis.contract.events import catalogue
from deploy.kubernetes.render import BASE

FILE = BASE / "topics.yaml"
PARTITIONS = 12
"""Never changed later: another number would break the order of keys."""
REPLICAS = 3

# A record is acknowledged when two of the three replicas have it: one broker may be away.
_IN_PRODUCTION: Mapping[str, str] = {"min.insync.replicas": "2"}
_HEAD = """\
# Written by `python -m deploy.kubernetes topics` from the event catalogue, never by hand. A test holds it equal.
# The label names the Kafka cluster, whose topic operator must watch this namespace.
"""


def manifests() -> str:
    """All topics as one YAML stream."""
    documents = [_manifest(topic) for topic in topics_of(catalogue().values())]
    return _HEAD + yaml.safe_dump_all(documents, sort_keys=False, width=120)


def _manifest(topic: Topic) -> dict[str, object]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        # Object names have no underscores; the topic's own name stands below.
        "metadata": {"name": topic.name.replace("_", "-"), "labels": {"strimzi.io/cluster": "preceptor"}},
        "spec": {
            "topicName": topic.name,
            "partitions": PARTITIONS,
            "replicas": REPLICAS,
            "config": {name: _number(value) for name, value in {**topic.config, **_IN_PRODUCTION}.items()},
        },
    }


def _number(value: str) -> str | int:
    """Numbers as numbers: the operator compares them so."""
    return int(value) if value.isdigit() else value
