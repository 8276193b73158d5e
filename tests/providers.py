"""Two small identity providers for tests: OIDC over real HTTP with signed tokens, and SAML with signed assertions.

`lie` changes what is answered, for the tests of providers that should not be believed.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.etree import ElementTree

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from django.test import Client
from onelogin.saml2.utils import OneLogin_Saml2_Utils

CLIENT = "countersign"
SECRET = "secret-of-the-portal-0123456789abcdef"


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY, OTHER_KEY = make_key(), make_key()

# --- OIDC -------------------------------------------------------------------------------------------------------------


@dataclass
class Oidc:
    """A provider; `claims` are those of whoever signs in next, `lie` turns claims into the token that is sent."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    lie: Callable[["Oidc", dict[str, Any]], str] | None = None
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def token(self, claims: dict[str, Any], key: Any = KEY, kid: str = "k1", alg: str = "RS256") -> str:
        return jwt.encode(claims, key, algorithm=alg, headers={"kid": kid})

    def authorise(self, address: str) -> dict[str, str]:
        """What the browser brings back after somebody signed in there."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        self.asked.append(asked)
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def _answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        body: Any
        if path == "/.well-known/openid-configuration":
            body = {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "userinfo_endpoint": f"{self.url}/userinfo",
            }
        elif path == "/jwks":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            body = {"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]}
        elif path == "/token":
            asked = self.codes.pop(form.get("code", ""), None)
            challenge = base64.urlsafe_b64encode(
                hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            )
            if (
                asked is None
                or form.get("client_secret") != SECRET
                or challenge.rstrip(b"=").decode() != asked["code_challenge"]
            ):
                return 400, b'{"error": "invalid_grant"}'
            now = int(time.time())
            claims = {
                "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "auth_time": now,
                "nonce": asked["nonce"], **self.claims,
            }  # fmt: skip
            told = self.lie(self, claims) if self.lie else self.token(claims)
            body = {"access_token": "at", "token_type": "Bearer", "id_token": told}
        elif path == "/userinfo":
            body = {"sub": self.claims.get("sub"), **self.info}
        else:
            return 404, b"{}"
        return 200, json.dumps(body).encode()


@contextmanager
def oidc() -> Iterator[Oidc]:
    """A provider that listens."""
    provider = Oidc()

    class Handler(BaseHTTPRequestHandler):
        def _go(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            status, body = provider._answer(urlsplit(self.path).path, form)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _go  # noqa: N815

        def log_message(self, *_args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- SAML -------------------------------------------------------------------------------------------------------------


def certificate(key: rsa.RSAPrivateKey) -> str:
    """A self-signed certificate, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


CERTIFICATE, OTHER_CERTIFICATE = certificate(KEY), certificate(OTHER_KEY)
IDP = "https://idp.example/saml"
ACS = "http://testserver/sso/saml/acs/"
SP = "http://testserver/sso/saml/metadata/"


def asked(address: str) -> tuple[str, ElementTree.Element]:
    """The id of the request in a redirect, and the request."""
    packed = parse_qs(urlsplit(address).query)["SAMLRequest"][0]
    found = ElementTree.fromstring(zlib.decompress(base64.b64decode(packed), -15))
    return found.attrib["ID"], found


def response(
    request_id: str,
    subject: str,
    attributes: dict[str, list[str]],
    *,
    key: rsa.RSAPrivateKey = KEY,
    cert: str = CERTIFICATE,
    audience: str = SP,
    issuer: str = IDP,
    age: int = 0,
    signed: bool = True,
) -> str:
    """A SAMLResponse whose assertion is signed."""
    at = datetime.now(UTC) - timedelta(seconds=age)

    def when(seconds: int) -> str:
        return (at + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    values = "".join(
        f'<saml:Attribute Name="{name}">'
        + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in some)
        + "</saml:Attribute>"
        for name, some in attributes.items()
    )
    own = f"_{secrets.token_hex(8)}"
    assertion = (
        f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{own}" Version="2.0"'
        f' IssueInstant="{when(0)}"><saml:Issuer>{issuer}</saml:Issuer>'
        '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">'
        f"{subject}</saml:NameID>"
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml:SubjectConfirmationData NotOnOrAfter="{when(300)}" Recipient="{ACS}" InResponseTo="{request_id}"/>'
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{when(-60)}" NotOnOrAfter="{when(300)}"><saml:AudienceRestriction>'
        f"<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{when(0)}" SessionIndex="s"><saml:AuthnContext><saml:AuthnContextClassRef>'
        "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>"
        f"</saml:AuthnStatement><saml:AttributeStatement>{values}</saml:AttributeStatement></saml:Assertion>"
    )
    if signed:
        made = OneLogin_Saml2_Utils.add_sign(
            assertion,
            pem(key),
            cert,
            sign_algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            digest_algorithm="http://www.w3.org/2001/04/xmlenc#sha256",
        )
        assertion = made.decode() if isinstance(made, bytes) else made
        assertion = assertion.partition("?>")[2] if assertion.startswith("<?xml") else assertion
    whole = (
        f'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
        f' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_{secrets.token_hex(8)}" Version="2.0"'
        f' IssueInstant="{when(0)}" Destination="{ACS}" InResponseTo="{request_id}"><saml:Issuer>{issuer}</saml:Issuer>'
        '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
        f"{assertion}</samlp:Response>"
    )
    return base64.b64encode(whole.encode()).decode()


def post(client: Client, told: str) -> Any:
    """The browser posts the answer and follows to the page that looks at it."""
    answer = client.post("/sso/saml/acs/", {"SAMLResponse": told})
    return client.get(answer.headers["Location"]) if answer.status_code == 302 else answer
