"""Which senders are trusted to tell about sessions."""

import base64
import hmac
from ipaddress import ip_network
from typing import Literal

import jwt
import pytest

from statusproxy.proxy.bearer_jwt import BearerJwt
from statusproxy.proxy.body_token import BodyToken
from statusproxy.proxy.client_address import _parsed
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
    assert not SenderPolicy(NEAR, jwt=BearerJwt(b"authorization", b"k" * 32)).proves_nothing
    assert not SenderPolicy(NEAR, token=BodyToken("apikey", b"key")).proves_nothing


def test_a_sender_is_told_alike_again() -> None:
    policy = SenderPolicy(NEAR)
    assert [heard(policy, client=client) for client in ("10.0.0.1", "203.0.113.9") * 2] == [None, "network"] * 2
    assert SenderPolicy(NEAR) == SenderPolicy(NEAR)


def test_a_long_made_up_address_is_not_remembered() -> None:
    """Thousands of 30 KB would hold 118 MiB."""
    policy = SenderPolicy([*NEAR, ip_network("fe80::/10")])
    remembered = _parsed.cache_info().currsize
    assert heard(policy, client="fe80::1%".ljust(65, "x")) == heard(policy, client="10.0.0.1".ljust(65)) == "network"
    assert _parsed.cache_info().currsize == remembered
    assert heard(policy, client="fe80::1%".ljust(64, "x")) is None


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


@pytest.mark.parametrize(
    ("field", "signature", "body", "claimed"),
    [  # the digests are those of `openssl dgst -hmac`
        (
            b"X-Webhook-Hmac",  # WAHA
            Signature(b"x-webhook-hmac", b"waha-key", "sha512"),
            b'{"event":"session.status","session":"default","payload":{"status":"FAILED"}}',
            (
                b"3fb0ab2bd89033f2839ea5b41328f7c1535940724e86ee362ab1ba6380f21909"
                b"835451be0c2ce7fbd848b17b974122fcc21983344f6f61c257a4c0adc0d6c98c"
            ),
        ),
        (
            b"x-hmac-signature",  # wuzapi
            Signature(b"x-hmac-signature", b"wuzapi-key"),
            b'{"type":"LoggedOut","userID":"1","instanceName":"sales"}',
            b"daf2cdaca03df337098e73ec2b0f9c2cd6584fb48b0ceb617ad5aa5912d77b3b",
        ),
        (
            b"X-OpenWA-Signature",
            Signature(b"x-openwa-signature", b"openwa-key", prefix=b"sha256="),
            b'{"event":"session.status","sessionId":"s1","data":{"status":"disconnected"}}',
            b"sha256=d76f7297812b70fa60c070825a04518b1b63f80fc2d7d7a90569b3b388541835",
        ),
    ],
    ids=["waha", "wuzapi", "openwa"],
)
def test_the_signatures_of_known_gateways_are_trusted(
    field: bytes, signature: Signature, body: bytes, claimed: bytes
) -> None:
    policy = SenderPolicy(NEAR, hmac=signature)
    assert heard(policy, (field, claimed), body=body) is None
    assert heard(policy, (field, claimed), body=body + b" ") == "signature"


def test_a_json_web_token_is_judged_with_the_head() -> None:
    policy = SenderPolicy(NEAR, jwt=BearerJwt(b"authorization", b"k" * 32), hmac=Signature(b"x-sign", b"key"))
    signed = (b"X-Sign", sign(b"key", BODY).hex().encode())
    token = (b"Authorization", b"Bearer " + jwt.encode({}, b"k" * 32, algorithm="HS256").encode())
    assert not policy.verify("10.0.0.1", [signed]).open
    assert heard(policy, signed) == "jwt"
    assert heard(policy, token) == "signature"
    assert heard(policy, token, signed) is None


def test_a_token_in_the_body_is_left_to_whoever_has_the_body() -> None:
    token = BodyToken("apikey", b"key")
    for policy in (SenderPolicy(NEAR, token=token), SenderPolicy(NEAR, hmac=Signature(b"x-s", b"k"), token=token)):
        assert policy.verify("10.0.0.1", []).token is token
    assert SenderPolicy(NEAR).verify("10.0.0.1", []).token is None


def test_only_a_signature_needs_the_body_and_only_of_a_sender_that_may_be_trusted() -> None:
    signed = SenderPolicy(NEAR, hmac=Signature(b"x-sign", b"key"))
    assert signed.verify("10.0.0.1", []).needs_body
    assert not signed.verify("203.0.113.9", []).needs_body
    assert not SenderPolicy(NEAR).verify("10.0.0.1", []).needs_body
    assert SenderPolicy(NEAR).verify("10.0.0.1", []).open
