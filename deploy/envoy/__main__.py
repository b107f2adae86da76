"""Prints Envoy's configuration for a place that is not this machine: what Kubernetes mounts.

python -m deploy.envoy --upstream identity=identity-grpc:50051 --upstream tasking=tasking-grpc:50051 ... > envoy.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from deploy.envoy.bootstrap import bootstrap
from deploy.envoy.document import Address
from deploy.envoy.methods import methods
from deploy.envoy.settings import Bucket, EdgeSettings, Limits

# Two seconds' worth at once: a page that loads asks for many things at the same time.
_BURST_SECONDS = 2
_USUAL = Limits()


def main(arguments: list[str] | None = None) -> None:
    """Prints the configuration. Exits with a message where an address is missing or none."""
    options = _parser().parse_args(arguments)
    upstreams = dict(options.upstream)
    if missing := sorted({method.owner for method in methods()} - upstreams.keys()):
        raise SystemExit(f"no --upstream is given for {', '.join(missing)}")
    settings = EdgeSettings(
        listen=options.listen,
        admin=options.admin,
        upstreams=upstreams,
        descriptors=options.descriptors,
        jwks=options.jwks,
        origins=tuple(options.origin),
        trusted_hops=options.trusted_hops,
        limits=_limits(options),
    )
    json.dump(bootstrap(settings), sys.stdout, indent=1)
    sys.stdout.write("\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.envoy", description=__doc__)
    parser.add_argument("--upstream", type=_upstream, action="append", default=[], help="service=host:port, for each")
    parser.add_argument("--listen", type=Address.parse, default=Address("0.0.0.0", 8080))  # noqa: S104 - a container's
    parser.add_argument("--admin", type=Address.parse, default=Address("127.0.0.1", 9901), help="keep it on loopback")
    parser.add_argument("--descriptors", type=Path, default=Path("/etc/preceptor/descriptors.binpb"))
    parser.add_argument("--jwks", type=Path, default=Path("/etc/preceptor/jwks.json"))
    parser.add_argument("--origin", action="append", default=[], help="of a web page of ours, like https://app.example")
    parser.add_argument("--trusted-hops", type=int, default=0, help="proxies in front whose x-forwarded-for is true")
    parser.add_argument("--subject-rate", type=int, default=200, help="calls a second of one account, per edge process")
    parser.add_argument("--stranger-rate", type=int, default=100, help="the same of one address, without a token")
    parser.add_argument("--strangers-rate", type=int, default=1000, help="the same of all addresses together")
    parser.add_argument("--connections", type=int, default=_USUAL.connections, help="at once, per edge process")
    parser.add_argument(
        "--connections-by-source", type=int, default=_USUAL.connections_by_source, help="the same of one address"
    )
    parser.add_argument("--heap-bytes", type=int, default=_USUAL.heap_bytes, help="memory of an edge process")
    return parser


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(
        subject=_bucket(options.subject_rate),
        stranger=_bucket(options.stranger_rate),
        strangers=_bucket(options.strangers_rate),
        connections=options.connections,
        connections_by_source=options.connections_by_source,
        heap_bytes=options.heap_bytes,
    )


def _upstream(text: str) -> tuple[str, Address]:
    service, _, address = text.partition("=")
    return service, Address.parse(address)


def _bucket(rate: int) -> Bucket:
    return Bucket(rate * _BURST_SECONDS, rate)


if __name__ == "__main__":
    main()
