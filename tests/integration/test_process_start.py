"""What stops a process at its start, and what does not: each fault is named."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.calls import refusal
from tests.support.platform import Live
from tests.support.processes import empty_database, end_of, identity, settings_of
from tests.support.secure.certificates import Authority


async def test_every_setting_at_fault_is_named_and_stops_the_start(live: Live, tmp_path: Path) -> None:
    settings = settings_of(
        live,
        PRECEPTOR_KAFKA_BOOTSTRAP_SERVERS=None,
        PRECEPTOR_JWKS_FILE=str(tmp_path / "absent.json"),
        PRECEPTOR_DRAIN="soon",
        PRECEPTOR_GRACE="-PT1S",
        PRECEPTOR_DATABASE_POOL_SIZE="0",
        PRECEPTOR_DATABASE_URL="mysql://ann:secret-of-ann@localhost/identity",
        PRECEPTOR_GRPC_LISTENING="127.0.0.1:1",
    )

    code, output = await end_of(tmp_path, "grpc", settings)

    assert code != 0
    named = {line.partition(":")[0].strip() for line in output.splitlines() if line.startswith("  PRECEPTOR_")}
    assert named == {
        "PRECEPTOR_KAFKA_BOOTSTRAP_SERVERS",
        "PRECEPTOR_JWKS_FILE",
        "PRECEPTOR_DRAIN",
        "PRECEPTOR_GRACE",
        "PRECEPTOR_DATABASE_POOL_SIZE",
        "PRECEPTOR_DATABASE_URL",
        "PRECEPTOR_GRPC_LISTENING",
    }
    assert "secret-of-ann" not in output
    assert "Traceback" not in output


async def test_a_service_s_own_settings_are_checked_as_well(live: Live, tmp_path: Path) -> None:
    settings = settings_of(live, IDENTITY_KEK_FILE=None, IDENTITY_REFRESH_GRACE="PT1H", IDENTITY_PASSWORD_LENGTH="8")

    code, output = await end_of(tmp_path, "events", settings)

    assert code != 0
    for variable in ("IDENTITY_KEK_FILE", "IDENTITY_REFRESH_GRACE", "IDENTITY_PASSWORD_LENGTH"):
        assert f"  {variable}: " in output
    assert "Traceback" not in output


async def test_migrate_needs_an_administrator(live: Live, tmp_path: Path) -> None:
    code, output = await end_of(tmp_path, "migrate", settings_of(live))

    assert code != 0
    assert "PRECEPTOR_ADMIN_DATABASE_URL" in output
    assert "Traceback" not in output


async def test_a_server_that_should_speak_tls_and_does_not_ends_the_start_with_the_reason_alone(
    live: Live, tmp_path: Path
) -> None:
    settings = settings_of(
        live,
        PRECEPTOR_DATABASE_CA_FILE=str(Authority(tmp_path).ca_file),
        PRECEPTOR_ADMIN_DATABASE_URL=live.platform.backends.postgres_url,
    )
    for command in ("grpc", "migrate"):
        code, output = await end_of(tmp_path, command, settings)

        assert code == 1
        assert "DATABASE_UNAVAILABLE" in output
        assert "rejected SSL upgrade" in output
        assert "Traceback" not in output
        assert "postgresql://" not in output


async def test_migrate_twice_and_two_at_once_do_no_harm(live: Live, tmp_path: Path) -> None:
    async with empty_database(live) as url:
        settings = settings_of(
            live, PRECEPTOR_DATABASE_URL=url, PRECEPTOR_ADMIN_DATABASE_URL=live.platform.backends.postgres_url
        )
        at_once = await asyncio.gather(*(end_of(tmp_path, "migrate", settings) for _ in range(2)))
        again = await end_of(tmp_path, "migrate", settings)

    assert [code for code, _ in (*at_once, again)] == [0, 0, 0]
    applied = ['"applied": []' in output for _, output in at_once]
    assert sorted(applied) == [False, True], "one of the two did it all"
    assert '"applied": []' in again[1]


async def test_reflection_answers_only_when_it_is_switched_on(live: Live, tmp_path: Path) -> None:
    async with (
        identity(live, tmp_path, PRECEPTOR_REFLECTION="false") as process,
        grpc.aio.insecure_channel(process.address) as channel,
    ):
        assert (await refusal(reflected(channel))).code == grpc.StatusCode.UNIMPLEMENTED

    assert "preceptor.identity.v1.VendorService" in await reflected(live.channels["identity"])


async def reflected(channel: grpc.aio.Channel) -> set[str]:
    """The gRPC services that reflection tells of.

    One request sent whole, as reading a stream: a write that meets the end of a two-way call hides its status
    (https://github.com/grpc/grpc/issues/36066).
    """
    reflect = channel.unary_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    stream = reflect(reflection_pb2.ServerReflectionRequest(list_services="*"), timeout=60)
    return {service.name for service in (await anext(aiter(stream))).list_services_response.service}
