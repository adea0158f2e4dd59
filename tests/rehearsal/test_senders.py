"""The sender's proof: what is asked for, and whether the request brings it."""

import hashlib
import hmac

import jwt
import pytest

from statusproxy.rehearsal.senders import HOLDS, NONE_ASKED, NOT_CHECKED, proof
from tests.rehearsal.sites import a_site

BODY = b'{"event":"lost","n":"\xc3\xa9"}'


def proved(path: str, *given: tuple[str, str], captured: tuple[tuple[str, str], ...] = (), body: bytes = BODY) -> str:
    entry = a_site().webhook(path).entry
    assert entry is not None
    return proof(*entry, given, captured, body)


def signature(body: bytes) -> str:
    return hmac.digest(b"example-secret", body, hashlib.sha256).hex()


def test_where_nothing_is_asked_for_any_sender_will_do() -> None:
    assert proved("/events") == NONE_ASKED
    assert proved("/events", ("X-Secret", "another")) == NONE_ASKED


def test_a_proof_holds_or_is_told_wrong_without_repeating_it() -> None:
    assert proved("/secret", ("x-secret", "example-secret")) == HOLDS
    assert proved("/secret", ("X-Secret", "another")) == "wrong secret"
    assert proved("/signed", ("X-Signature", signature(BODY))) == HOLDS
    assert proved("/signed", ("X-Signature", signature(b"else"))) == "wrong signature"
    assert proved("/signed", ("X-Signature", "…"), body=b"none") == "wrong signature"


def test_without_headers_it_is_not_checked_and_with_others_it_is_missing() -> None:
    assert proved("/secret") == NOT_CHECKED
    assert proved("/secret", captured=(("Accept", "*/*"),)) == NOT_CHECKED
    assert proved("/secret", ("Accept", "*/*")) == "X-Secret is missing"


def test_a_captured_proof_counts_and_a_given_one_comes_first() -> None:
    assert proved("/secret", captured=(("X-Secret", "example-secret"),)) == HOLDS
    assert proved("/secret", ("X-Secret", "example-secret"), captured=(("X-Secret", "another"),)) == HOLDS


WITH_TOKENS = """
gateway: http://127.0.0.1:3000
preset: null
webhooks:
  - path: /token
    token: {field: apikey, value: example-secret}
  - path: /jwt
    jwt: {secret: example-secret-of-thirty-two-bytes}
"""


def test_a_token_in_the_body_needs_no_header() -> None:
    entry = a_site(text=WITH_TOKENS).webhook("/token").entry
    assert entry is not None
    assert proof(*entry, (), (), b'{"apikey":"example-secret"}') == HOLDS
    assert proof(*entry, (), (), b'{"apikey":"another"}') == "the token in the body is wrong or missing"


def test_a_json_web_token_is_checked_where_it_is_given() -> None:
    entry = a_site(text=WITH_TOKENS).webhook("/jwt").entry
    assert entry is not None
    good = jwt.encode({"app": "x"}, "example-secret-of-thirty-two-bytes", algorithm="HS256")
    assert proof(*entry, [("Authorization", f"Bearer {good}")], (), b"{}") == HOLDS
    assert proof(*entry, [("Authorization", f"Bearer {good}x")], (), b"{}") == (
        "the JSON Web Token is not signed with the secret, or has expired"
    )
    assert proof(*entry, (), (), b"{}") == NOT_CHECKED


def test_all_that_is_asked_for_must_be_there() -> None:
    more = "gateway: http://127.0.0.1:3000\npreset: null\nwebhooks:\n  - path: /both\n"
    more += "    secret: {header: A, value: example-secret}\n    hmac: {header: B, secret: example-secret}\n"
    entry = a_site(text=more).webhook("/both").entry
    assert entry is not None
    assert proof(*entry, [("C", "c")], (), BODY) == "A and B are missing"


@pytest.mark.parametrize("written", [BODY + b"\n", b'{\n "event": "lost",\n "n": "\\u00e9"\n}'])
def test_a_signature_is_of_the_body_as_it_was_sent_not_as_a_file_spaces_it(written: bytes) -> None:
    assert proved("/signed", ("X-Signature", signature(BODY)), body=written) == HOLDS
