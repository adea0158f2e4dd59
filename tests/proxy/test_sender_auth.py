"""Which senders are trusted to tell about sessions."""

import base64
import hmac
from ipaddress import ip_network
from typing import Literal

import pytest

from statusproxy.proxy.sender_auth import SenderPolicy, SharedSecret, Signature

NEAR = [ip_network("10.0.0.0/8")]
BODY = b'{"event":"closesession"}'


def heard(
    policy: SenderPolicy, *fields: tuple[bytes, bytes], client: str = "10.0.0.1", body: bytes = BODY
) -> str | None:
    verification = policy.verify(client, fields)
    for piece in (body[:5], body[5:]):
        verification.feed(piece)
        verification.catch_up()
    return verification.doubt()


@pytest.mark.parametrize("client", ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1:5000"])
def test_a_sender_of_a_configured_network_is_trusted(client: str) -> None:
    assert heard(SenderPolicy(NEAR), client=client) is None


def test_a_sender_of_whom_no_secret_and_no_signature_is_asked_proves_nothing() -> None:
    assert SenderPolicy(NEAR).proves_nothing
    assert not SenderPolicy(NEAR, SharedSecret(b"x-secret", b"right")).proves_nothing
    assert not SenderPolicy(NEAR, hmac=Signature(b"x-hmac", b"key")).proves_nothing


@pytest.mark.parametrize("client", ["203.0.113.9", "unknown", "", "2001:db8::1"])
def test_a_sender_from_elsewhere_is_not(client: str) -> None:
    assert heard(SenderPolicy(NEAR), client=client) == "network"
    assert not SenderPolicy(NEAR).verify(client, []).open


@pytest.mark.parametrize(
    ("fields", "doubt"),
    [
        ([(b"X-Secret", b"right")], None),
        ([(b"x-secret", b"wrong")], "secret"),
        ([(b"X-Secret", b"")], "secret"),
        ([(b"X-Secret", b"right ")], "secret"),
        ([], "secret"),
        ([(b"X-Secret", b"wrong"), (b"X-Secret", b"right")], "secret"),
    ],
)
def test_a_shared_secret_must_be_the_one_configured(fields: list[tuple[bytes, bytes]], doubt: str | None) -> None:
    assert heard(SenderPolicy(NEAR, SharedSecret(b"x-secret", b"right")), *fields) == doubt


def sign(secret: bytes, body: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret, body, algorithm).digest()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("prefix", [b"", b"sha256="])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_signature_over_the_body_is_trusted(
    algorithm: str, prefix: bytes, encoding: Literal["hex", "base64"]
) -> None:
    policy = SenderPolicy(NEAR, hmac=Signature(b"x-sign", b"key", algorithm, prefix, encoding))
    digest = sign(b"key", BODY, algorithm)
    written = digest.hex().encode() if encoding == "hex" else base64.b64encode(digest)
    assert heard(policy, (b"X-Sign", prefix + written)) is None
    assert heard(policy, (b"X-Sign", prefix + written), body=BODY + b" ") == "signature"
    if encoding == "hex":
        assert heard(policy, (b"X-Sign", prefix + written.upper())) is None


@pytest.mark.parametrize(
    "claimed",
    [
        None,
        b"",
        b"sha256=",
        sign(b"key", BODY).hex().encode(),
        b"sha256=" + sign(b"other", BODY).hex().encode(),
        b"\xff",
    ],
)
def test_another_signature_is_not(claimed: bytes | None) -> None:
    policy = SenderPolicy(NEAR, hmac=Signature(b"x-sign", b"key", prefix=b"sha256="))
    assert heard(policy, *([(b"X-Sign", claimed)] if claimed is not None else [])) == "signature"


def test_all_that_is_configured_is_asked_for() -> None:
    policy = SenderPolicy(NEAR, SharedSecret(b"x-secret", b"right"), Signature(b"x-sign", b"key"))
    good = [(b"X-Secret", b"right"), (b"X-Sign", sign(b"key", BODY).hex().encode())]
    assert heard(policy, *good) is None
    assert heard(policy, good[0]) == "signature"
    assert heard(policy, good[1]) == "secret"
    assert heard(policy, *good, client="203.0.113.9") == "network"


def test_only_a_signature_needs_the_body_and_only_of_a_sender_that_may_be_trusted() -> None:
    signed = SenderPolicy(NEAR, hmac=Signature(b"x-sign", b"key"))
    assert signed.verify("10.0.0.1", []).needs_body
    assert not signed.verify("203.0.113.9", []).needs_body
    assert not SenderPolicy(NEAR).verify("10.0.0.1", []).needs_body
    assert SenderPolicy(NEAR).verify("10.0.0.1", []).open
