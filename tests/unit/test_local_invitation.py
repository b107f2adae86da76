"""What `make run` tells at its end: how to sign in, by files that nobody else reads; and failures as sentences."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from deploy.local import invitation
from deploy.local.invitation import port_taken, said, sign_ins
from deploy.local.main_job.waiting import TooLateError
from deploy.local.secrets import Secrets


@pytest.fixture
def umask_of_0() -> object:
    """Whatever is made is open to everybody unless it says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_secrets_are_their_owners_whatever_the_umask_and_whoever_made_the_folder(
    tmp_path: Path, umask_of_0: None
) -> None:
    secrets = Secrets(tmp_path / "secrets")
    secrets.folder.mkdir()
    (secrets.folder / "of-another-program").write_text("open")
    secrets.password("admin")
    secrets.random("sign-in/deep")
    secrets.close()
    assert {mode(path) for path in secrets.folder.rglob("*") if path.is_file()} == {0o600}
    assert {mode(path) for path in (secrets.folder, *secrets.folder.rglob("*")) if path.is_dir()} == {0o700}


def test_each_kind_of_user_signs_in_by_a_file_and_no_secret_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation, "ROOT", tmp_path)
    monkeypatch.setattr(invitation, "SIGN_IN", tmp_path / "sign-in")
    everybody = {"vendor": {"apiKey": "secret-1"}, "expert": {"email": "ann@example.com", "password": "secret-2"}}
    commands = sign_ins("http://127.0.0.1:1", everybody)
    assert commands["vendor"].endswith("-d @sign-in/vendor.json http://127.0.0.1:1/v1/apiKeys:exchange")
    assert commands["expert"].endswith("-d @sign-in/expert.json http://127.0.0.1:1/v1/sessions:signIn")
    assert "secret" not in str(commands)
    assert json.loads((tmp_path / "sign-in/vendor.json").read_text()) == everybody["vendor"]
    assert mode(tmp_path / "sign-in/vendor.json") == 0o600


def test_a_port_that_another_program_has_is_told_with_the_one_that_is_used_instead() -> None:
    assert port_taken("127.0.0.1:8080", 8080) == ""
    assert port_taken("127.0.0.1:21229", 8080) == (
        "Port 8080 is taken by another program: the edge is at http://127.0.0.1:21229 instead"
    )


def test_what_went_wrong_is_a_sentence() -> None:
    late = TooLateError("every expert is paid: not within 180 s")
    assert said(ExceptionGroup("unhandled errors", [ExceptionGroup("more", [late])])) == str(late)
    assert said(KeyError("tasks")) == "KeyError: 'tasks'"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
