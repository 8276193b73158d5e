"""Checkpoint notes: the published example of the note format, and every way a note can be wrong."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal import checkpoints
from portal.checkpoints import Note
from portal.errors import Invalid

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "example.com/ledger"
NOTE = Note(ORIGIN, 42, bytes(range(32)))


def signed(text: str, key: Ed25519PrivateKey = KEY, name: str = ORIGIN) -> str:
    return text + checkpoints.signature_line(name, key.public_key(), key.sign(text.encode()))


GOOD = signed(checkpoints.note_text(NOTE))


def test_the_published_example() -> None:
    """From the documentation of Go's golang.org/x/mod/sumdb/note, whose format this is."""
    secret = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
    assert secret[:1] == checkpoints.ED25519
    key = Ed25519PrivateKey.from_private_bytes(secret[1:])
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    assert checkpoints.verifier_key("PeterNeumann", key.public_key()) == (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    )
    assert signed(text, key, "PeterNeumann") == (
        f"{text}\n— PeterNeumann"
        " x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )


def test_a_note_reads_as_specified() -> None:
    lines = GOOD.split("\n")
    assert lines[:4] == [ORIGIN, "42", base64.b64encode(bytes(range(32))).decode(), ""]
    assert lines[4].startswith(f"— {ORIGIN} ")
    assert lines[5:] == [""]


def test_a_good_note_is_read() -> None:
    assert checkpoints.verify_note(GOOD, KEY.public_key(), origin=ORIGIN) == NOTE


def test_other_signers_and_extension_lines_are_passed_over() -> None:
    witness = Ed25519PrivateKey.from_private_bytes(bytes(32))
    text = checkpoints.note_text(NOTE) + "an extension\n"
    note = signed(text)
    note += checkpoints.signature_line("witness.example", witness.public_key(), witness.sign(text.encode()))[
        1:
    ]
    assert checkpoints.verify_note(note, KEY.public_key(), origin=ORIGIN) == NOTE
    assert checkpoints.verify_note(signed(text), KEY.public_key(), origin=ORIGIN) == NOTE


def test_every_changed_character_is_noticed() -> None:
    for place, character in enumerate(GOOD):
        other = "A" if character != "A" else "B"
        with pytest.raises(Invalid):
            checkpoints.verify_note(GOOD[:place] + other + GOOD[place + 1 :], KEY.public_key(), origin=ORIGIN)


def test_every_cut_note_is_refused() -> None:
    for end in range(len(GOOD)):
        with pytest.raises(Invalid):
            checkpoints.verify_note(GOOD[:end], KEY.public_key(), origin=ORIGIN)


@pytest.mark.parametrize(
    "note, code",
    [
        (
            signed(checkpoints.note_text(NOTE), Ed25519PrivateKey.from_private_bytes(bytes(32))),
            "checkpoint_unsigned",
        ),
        (signed(checkpoints.note_text(NOTE), name="other"), "checkpoint_unsigned"),
        (signed(checkpoints.note_text(Note("other", 1, bytes(32)))), "checkpoint_other"),
        (signed(checkpoints.note_text(Note(ORIGIN, 1, bytes(31)))), "checkpoint_broken"),
        (signed(f"{ORIGIN}\n042\n{base64.b64encode(bytes(32)).decode()}\n"), "checkpoint_broken"),
        (signed(f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n"), "checkpoint_broken"),
        (signed(f"{ORIGIN}\n٤\n{base64.b64encode(bytes(32)).decode()}\n"), "checkpoint_broken"),
        (signed(f"{ORIGIN}\n1\n"), "checkpoint_broken"),
        (GOOD[: GOOD.index(chr(0x2014))] + "not a signature\n", "checkpoint_broken"),
        ("", "checkpoint_broken"),
    ],
)
def test_wrong_notes(note: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        checkpoints.verify_note(note, KEY.public_key(), origin=ORIGIN)
    assert refused.value.code == code
