"""Settings: whole or not at all, with each variable at fault named and no secret told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import ChassisSettings, Duration, SettingsError, load


class ParlourSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PARLOUR_", extra="forbid", frozen=True)

    guests: int
    tea_time: Duration = timedelta(minutes=5)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """All that every service must be told."""
    (tmp_path / "file").write_bytes(bytes(32))
    monkeypatch.setenv("PRECEPTOR_DATABASE_URL", "postgresql://identity_app:hidden@db:5432/identity")
    monkeypatch.setenv("PRECEPTOR_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("PRECEPTOR_JWKS_FILE", str(tmp_path / "file"))
    monkeypatch.setenv("PRECEPTOR_PAGE_TOKEN_KEY_FILE", str(tmp_path / "file"))
    return monkeypatch


def test_what_must_be_told_is_enough(environment: pytest.MonkeyPatch) -> None:
    settings = load(ChassisSettings)

    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert settings.reflection is False
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30", 30), ("0.25", 0.25), ("0", 0), ("PT30S", 30), ("PT72H", 72 * 3600), ("P7D", 7 * 86400), ("1:30:00", 5400)],
)
def test_a_duration_is_seconds_or_iso_8601(value: str, seconds: float) -> None:
    assert TypeAdapter(Duration).validate_python(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-5", "-PT5S", "1.2.3", "nan", "inf", "²", "9" * 30, "PT"])
def test_what_is_no_duration_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://identity_app:hidden@db/identity"),
        ("DATABASE_URL", "postgresql://db/identity"),
        ("DATABASE_URL", "postgresql://identity_app:hidden@db"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("KAFKA_TOPIC_PREFIX", "No Spaces"),
        ("KAFKA_PARTITIONS", "0"),
        ("DATABASE_POOL_SIZE", "many"),
        ("GRPC_LISTEN", "50051"),
        ("GRPC_LISTEN", "somewhere:port"),
        ("JWKS_FILE", "/there/is/no/such/file"),
        ("TOKEN_ISSUER", ""),
        ("REFLECTION", "perhaps"),
        ("DEFAULT_DEADLINE", "0"),
        ("GRACE", "-PT1S"),
    ],
)
def test_a_malformed_setting_is_named_and_its_value_is_not_told(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(f"PRECEPTOR_{variable}", value)

    with pytest.raises(SettingsError, match=rf"(?m)^  PRECEPTOR_{variable}: ") as refused:
        load(ChassisSettings)
    assert "hidden" not in str(refused.value)


def test_all_faults_are_told_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("PRECEPTOR_JWKS_FILE")
    environment.setenv("PRECEPTOR_KAFKA_REPLICATION", "10")
    environment.setenv("PRECEPTOR_KAFKA_REPLICAS", "3")

    with pytest.raises(SettingsError) as refused:
        load(ChassisSettings)

    lines = sorted(line.partition(":")[0].strip() for line in str(refused.value).splitlines()[1:])
    assert lines == ["PRECEPTOR_JWKS_FILE", "PRECEPTOR_KAFKA_REPLICAS", "PRECEPTOR_KAFKA_REPLICATION"]


def test_each_class_minds_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLOUR_GUESTS", "3")
    monkeypatch.setenv("PARLOUR_TEA_TIME", "PT1H")
    monkeypatch.setenv("PRECEPTOR_NONSENSE", "1")

    assert load(ParlourSettings) == ParlourSettings(guests=3, tea_time=timedelta(hours=1))


@pytest.mark.parametrize("variable", ["PARLOUR_GUEST", "PARLOUR_", "parlour_cake"])
def test_an_unknown_variable_under_the_prefix_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("PARLOUR_GUESTS", "3")
    monkeypatch.setenv(variable, "1")

    with pytest.raises(SettingsError, match=f"{variable}: there is no such setting"):
        load(ParlourSettings)
