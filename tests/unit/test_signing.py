"""The key file, DSSE envelopes, and the password that is repeated at signing."""

import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from pytest_django import Settings

from portal import signing
from portal.errors import Forbidden, Refused, Unavailable
from portal.models import Person

PASSWORD = "a long enough phrase"


@pytest.fixture
def key_file(settings: Settings, tmp_path: Path) -> Path:
    settings.SIGNING_KEY_FILE = tmp_path / "keys" / "signing.pem"
    return tmp_path / "keys" / "signing.pem"


def person(**fields: Any) -> Person:
    return Person(**{"login": "fay", "name": "Fay Okafor", "password": make_password(PASSWORD), **fields})


# --- the key ---------------------------------------------------------------------------------------------------------


def test_the_demo_makes_its_key_on_first_use(key_file: Path) -> None:
    signature = signing.sign(b"message")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert list(key_file.parent.iterdir()) == [key_file]
    assert signing.holds(signing.public_key(), signature, b"message")
    assert not signing.holds(signing.public_key(), signature, b"another")


def test_outside_the_demo_a_missing_key_is_said(key_file: Path, settings: Settings) -> None:
    settings.DEMO = False
    with pytest.raises(Unavailable, match="make_signing_key") as refused:
        signing.sign(b"message")
    assert refused.value.code == "signing_key_missing"
    assert not key_file.exists()


def test_the_command_makes_a_key_once(
    key_file: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.DEMO = False
    call_command("make_signing_key")
    made = key_file.read_bytes()
    said = capsys.readouterr().out
    assert signing.key_id() in said
    assert signing.public_pem() in said
    with pytest.raises(CommandError, match="already"):
        call_command("make_signing_key")
    assert key_file.read_bytes() == made


def test_whoever_is_second_does_not_replace_the_key(key_file: Path) -> None:
    signing.make_key(key_file)
    made = key_file.read_bytes()
    with pytest.raises(Refused) as refused:
        signing.make_key(key_file)
    assert refused.value.code == "signing_key_exists"
    assert key_file.read_bytes() == made
    assert list(key_file.parent.iterdir()) == [key_file]


@pytest.mark.parametrize("what", ["text", "rsa", "directory"])
def test_a_file_that_is_no_such_key_is_said(key_file: Path, what: str) -> None:
    key_file.parent.mkdir()
    if what == "directory":
        key_file.mkdir()
    elif what == "text":
        key_file.write_text("no key")
    else:
        rsa = generate_private_key(65537, 2048)
        key_file.write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(Unavailable) as refused:
        signing.sign(b"message")
    assert refused.value.code == "signing_key_unusable"


# --- the person ------------------------------------------------------------------------------------------------------


def test_the_right_password_is_enough() -> None:
    signing.reauthenticate(person(), PASSWORD)


@pytest.mark.parametrize(
    "who, password, how, code",
    [
        (person(), "another phrase", "password", "password_wrong"),
        (person(), "", "password", "password_wrong"),
        (person(password="!"), PASSWORD, "password", "password_wrong"),
        (person(), PASSWORD, "token", "token_never_signs"),
        (person(is_active=False), PASSWORD, "password", "person_disabled"),
        (person(kind=Person.Kind.SERVICE), PASSWORD, "password", "only_people_sign"),
        (person(kind=Person.Kind.SYSTEM), PASSWORD, "password", "only_people_sign"),
    ],
)
def test_who_may_not_sign(who: Person, password: str, how: Any, code: str) -> None:
    with pytest.raises(Forbidden) as refused:
        signing.reauthenticate(who, password, how=how)
    assert refused.value.code == code
    assert password not in refused.value.sentence or not password
