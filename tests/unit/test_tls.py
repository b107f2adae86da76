"""TLS of databases: whole or off. What looks like protection and is none is refused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from chassis.settings import ChassisSettings, SettingsError, load
from chassis.tls import checked_url
from tests.support.secure.certificates import Authority

URL = "postgresql://role:p%40ss@db:5432/preceptor_tasking"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca with a space"))


@pytest.mark.parametrize("url", [URL, f"{URL}?sslmode=disable", f"{URL}?application_name=x"])
def test_a_url_that_asks_for_no_tls_stays_as_it_is(url: str) -> None:
    assert checked_url(url) == url


def test_a_ca_makes_every_url_verified(authority: Authority) -> None:
    made = checked_url(f"{URL}?application_name=a%20b", authority.ca_file)

    assert dict(parse_qsl(urlsplit(made).query)) == {
        "application_name": "a b",
        "sslmode": "verify-full",
        "sslrootcert": str(authority.ca_file),
    }
    assert made.startswith(URL)
    assert checked_url(made, authority.ca_file) == made
    assert checked_url(made) == made


def test_a_url_may_say_it_all_by_itself(authority: Authority) -> None:
    pair = authority.issue("role")
    url = f"{URL}?sslmode=verify-full&sslrootcert={authority.ca_file}&sslcert={pair.certificate}&sslkey={pair.key}"

    assert parse_qsl(urlsplit(checked_url(url.replace(" ", "%20"))).query) == parse_qsl(urlsplit(url).query)


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=allow",
        "sslmode=prefer",
        "sslmode=require",
        "sslmode=require&sslrootcert={ca}",
        "sslmode=verify-ca&sslrootcert={ca}",
        "sslmode=verify-full",
        "sslmode=",
        "sslmode=VERIFY-FULL&sslrootcert={ca}",
        "sslrootcert={ca}",
        "sslmode=disable&sslrootcert={ca}",
        "sslmode=verify-full&sslmode=disable&sslrootcert={ca}",
        "sslmode=verify-full&sslrootcert=/there/is/none",
        "sslmode=verify-full&sslrootcert={key}",
        "sslmode=verify-full&sslrootcert={ca}&sslcert={ca}",
        "sslmode=verify-full&sslrootcert={ca}&sslcert={ca}&sslkey={key}",
        "ssl=true",
    ],
)
def test_half_a_protection_is_refused(authority: Authority, query: str) -> None:
    files = {"ca": authority.ca_file, "key": authority.issue("role").key}

    with pytest.raises(ValueError, match=r"^must say|must hold|must be a certificate"):
        checked_url(f"{URL}?{query.format(**files)}".replace(" ", "%20"))


@pytest.mark.parametrize("query", ["sslmode=disable", "sslmode=require", "sslmode=prefer"])
def test_a_url_cannot_undo_what_the_ca_asks_for(authority: Authority, query: str) -> None:
    with pytest.raises(ValueError, match="sslmode=verify-full"):
        checked_url(f"{URL}?{query}", authority.ca_file)


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, **told: str) -> ChassisSettings:
    """A service's settings with a file for each that it must be told."""
    (folder / "file").write_bytes(bytes(32))
    must = {"DATABASE_URL": URL, "JWKS_FILE": str(folder / "file"), "PAGE_TOKEN_KEY_FILE": str(folder / "file")}
    for name, value in {**must, "KAFKA_BOOTSTRAP_SERVERS": "kafka:9093", **told}.items():
        monkeypatch.setenv(f"PRECEPTOR_{name}", value)
    return load(ChassisSettings)


def test_one_setting_protects_the_service_s_url_and_the_administrator_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: Authority
) -> None:
    found = settings(monkeypatch, tmp_path, DATABASE_CA_FILE=str(authority.ca_file), ADMIN_DATABASE_URL=URL)

    assert found.admin_database_url is not None
    for url in (found.database_url, found.admin_database_url):
        assert "sslmode=verify-full" in url.get_secret_value()
    assert "p%40ss" not in repr(found)


def test_settings_of_kafka_reach_the_clients(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: Authority
) -> None:
    told = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": str(authority.ca_file), "KAFKA_TOPIC_PREFIX": "t."}
    found = settings(monkeypatch, tmp_path, **told)

    assert (found.kafka.security_protocol, found.kafka.ca_file) == ("SSL", authority.ca_file)
    assert found.kafka_topic_prefix == "t."


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"DATABASE_URL": f"{URL}?sslmode=require"}, "DATABASE_URL"),
        ({"ADMIN_DATABASE_URL": f"{URL}?sslmode=require"}, "ADMIN_DATABASE_URL"),
        ({"DATABASE_CA_FILE": "/there/is/none"}, "DATABASE_CA_FILE"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SECURITY_PROTOCOL"),
        ({"KAFKA_SASL_USERNAME": "tasking"}, "KAFKA_SECURITY_PROTOCOL"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM"),
        ({"KAFKA_CA": "x"}, "KAFKA_CA"),
    ],
)
def test_each_fault_names_its_setting_and_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=rf"(?m)^  PRECEPTOR_{named}: ") as refused:
        settings(monkeypatch, tmp_path, **told)
    assert "p%40ss" not in str(refused.value)
