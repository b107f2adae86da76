"""How brokers are spoken to: whole protection or none, and the password is never shown."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chassis.bus.brokers import Brokers, client_settings
from chassis.bus.consumer import consumer_settings
from chassis.bus.publisher import producer_settings
from tests.support.secure.certificates import Authority

PASSWORD = "the password itself"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A file of each sort."""
    folder = tmp_path_factory.mktemp("files")
    authority = Authority(folder)
    pair, other = authority.issue("tasking"), authority.issue("other")
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "empty").write_text("\n")
    found = {"ca": authority.ca_file, "crt": pair.certificate, "key": pair.key, "other": other.key}
    return {
        name: str(path) for name, path in {**found, "password": folder / "password", "empty": folder / "empty"}.items()
    }


def brokers(files: dict[str, str], **told: str) -> Brokers:
    """Brokers told by settings; a value that names one of the files stands for it."""
    values = {name: files.get(value, value) for name, value in told.items()}
    return Brokers.model_validate({"bootstrap_servers": "kafka:9093", **values})


SASL = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "tasking", "sasl_password_file": "password"}


def test_without_further_settings_brokers_are_spoken_to_in_the_clear(files: dict[str, str]) -> None:
    assert client_settings(brokers(files)) == {
        "bootstrap.servers": "kafka:9093",
        "reconnect.backoff.max.ms": 1_000,
        "security.protocol": "PLAINTEXT",
    }


def test_tls_always_asks_who_answers(files: dict[str, str]) -> None:
    for more in ({}, {"ca_file": "ca"}):
        told = client_settings(brokers(files, security_protocol="SSL", **more))
        assert told["enable.ssl.certificate.verification"] is True
        assert told["ssl.endpoint.identification.algorithm"] == "https"
        assert told.get("ssl.ca.location") == (files["ca"] if more else None)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_sasl_goes_by_tls_with_the_password_of_the_file(files: dict[str, str], mechanism: str) -> None:
    found = brokers(files, security_protocol="SASL_SSL", **{**SASL, "sasl_mechanism": mechanism})
    told = client_settings(found)
    assert (told["security.protocol"], told["sasl.mechanism"], told["sasl.username"]) == (
        "SASL_SSL",
        mechanism,
        "tasking",
    )
    assert told["sasl.password"] == PASSWORD
    assert PASSWORD not in repr(found)
    assert PASSWORD not in found.model_dump_json()


def test_every_kind_of_client_is_protected_alike(files: dict[str, str]) -> None:
    found = brokers(files, security_protocol="SASL_SSL", ca_file="ca", certificate_file="crt", key_file="key", **SASL)
    wanted = client_settings(found).items()
    assert wanted <= producer_settings(found).items()
    assert wanted <= consumer_settings(found, "group").items()


@pytest.mark.parametrize(
    ("told", "field", "says"),
    [
        ({"ca_file": "ca"}, "security_protocol", "SSL or SASL_SSL where KAFKA_CA_FILE"),
        ({"certificate_file": "crt", "key_file": "key"}, "security_protocol", "SSL or SASL_SSL where"),
        (SASL, "security_protocol", "must be SASL_SSL where KAFKA_SASL_MECHANISM"),
        ({"security_protocol": "SSL", **SASL}, "security_protocol", "must be SASL_SSL where"),
        (
            {"security_protocol": "PLAINTEXT", "ca_file": "ca"},
            "security_protocol",
            "SSL or SASL_SSL where KAFKA_CA_FILE",
        ),
        ({"security_protocol": "SASL_SSL"}, "security_protocol", "needs KAFKA_SASL_MECHANISM and KAFKA_SASL_USERNAME"),
        (
            {"security_protocol": "SASL_SSL", **SASL, "sasl_password_file": "empty"},
            "sasl_password_file",
            "the password",
        ),
        ({"security_protocol": "SASL_PLAINTEXT", **SASL}, "security_protocol", "'PLAINTEXT', 'SSL' or 'SASL_SSL'"),
        ({"security_protocol": "ssl"}, "security_protocol", "'PLAINTEXT', 'SSL' or 'SASL_SSL'"),
        (
            {"security_protocol": "SASL_SSL", **SASL, "sasl_mechanism": "GSSAPI"},
            "sasl_mechanism",
            "'SCRAM-SHA-512', 'SCRAM-SHA-256' or 'PLAIN'",
        ),
        ({"security_protocol": "SSL", "certificate_file": "crt"}, "security_protocol", "KAFKA_KEY_FILE go together"),
        (
            {"security_protocol": "SSL", "certificate_file": "crt", "key_file": "other"},
            "security_protocol",
            "must be a certificate and its key",
        ),
        ({"security_protocol": "SSL", "ca_file": "password"}, "ca_file", "must hold the certificates of CAs as PEM"),
        ({"security_protocol": "SSL", "ca_file": "/there/is/none"}, "ca_file", "does not point to a file"),
    ],
)
def test_what_does_not_protect_is_refused_with_what_to_set(
    files: dict[str, str], told: dict[str, str], field: str, says: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        brokers(files, **told)
    (fault,) = refused.value.errors()
    assert fault["loc"] == (field,)
    assert says in fault["msg"]
    assert PASSWORD not in str(refused.value)
