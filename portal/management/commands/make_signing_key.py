"""Makes the portal's signing key, once."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import signing
from portal.checkpoints import verifier_key
from portal.errors import Refused


class Command(BaseCommand):
    help = "Make the Ed25519 key that signs checkpoints and statements, in the file COUNTERSIGN_SIGNING_KEY_FILE names."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.SIGNING_KEY_FILE
        try:
            signing.make_key(path)
            public = signing.public_key()
        except Refused as refused:
            raise CommandError(refused.sentence) from refused
        except OSError as error:
            raise CommandError(f"The signing key cannot be written to {path}: {error.strerror}.") from error
        self.stdout.write(
            f"Made {path}. Keep a copy of it in a safe place; give the public key to whoever checks."
        )
        self.stdout.write(f"Key id: {signing.key_id(public)}")
        self.stdout.write(f"Verifier key of the checkpoints: {verifier_key(settings.LEDGER_ORIGIN, public)}")
        self.stdout.write(signing.public_pem(), ending="")
