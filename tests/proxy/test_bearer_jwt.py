"""A JSON Web Token as a sender's proof: HS256 only, with its times, and nothing that a stranger sends raises."""

import base64
import json
import subprocess
import sys
import time
from typing import Any

import jwt
import pytest

from statusproxy.proxy.bearer_jwt import LEEWAY, BearerJwt

SECRET = b"a-secret-of-thirty-two-bytes-or-so"
PROOF = BearerJwt(b"authorization", SECRET)


def token(secret: bytes = SECRET, algorithm: str = "HS256", **claims: Any) -> bytes:
    return jwt.encode(claims, secret, algorithm=algorithm).encode()


def accepted(value: bytes, proof: BearerJwt = PROOF, header: bytes = b"Authorization") -> bool:
    return proof.stands_in([(header, value)])


def part(value: object) -> bytes:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=")


@pytest.mark.parametrize("before", [b"Bearer ", b"bearer ", b"BEARER   ", b""])
def test_a_token_signed_with_the_secret_is_a_proof_with_or_without_its_scheme(before: bytes) -> None:
    assert accepted(before + token(app="evolution", action="webhook"))


def test_a_token_may_come_in_a_header_of_the_sites_choice() -> None:
    proof = BearerJwt(b"x-jwt", SECRET)
    assert accepted(token(), proof, b"X-Jwt")
    assert not accepted(token(), proof)


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Basic dTpw", b"a.b.c", b"\xff.\xff.\xff", b"..", b"x" * 9000]
)
def test_what_is_no_token_is_no_proof(value: bytes) -> None:
    assert not accepted(value)
    assert not PROOF.stands_in([])


def test_a_token_may_have_8192_bytes() -> None:
    made = {len(one): one for one in (token(padding="x" * size) for size in range(6050, 6090))}
    assert accepted(made[8192])
    assert not accepted(made[8193])


def test_another_secret_is_no_proof() -> None:
    assert not accepted(token(b"another-secret-of-thirty-two-bytes"))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_no_proof_though_the_secret_is_right(algorithm: str) -> None:
    assert not accepted(token(SECRET * 2, algorithm), BearerJwt(b"authorization", SECRET * 2))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["HS256"], {"HS256": 1}, "RS256", "ES256", 1])
def test_the_algorithm_that_a_token_names_for_itself_counts_for_nothing(algorithm: object) -> None:
    head = part({"typ": "JWT", "alg": algorithm}) + b"." + part({"app": "x"}) + b"."
    signature = token(app="x").rpartition(b".")[2]
    for forged in (head, head + signature, head + part(b"")):
        assert not accepted(forged)


def test_a_signature_over_a_head_that_names_no_algorithm_is_no_proof() -> None:
    signed = jwt.PyJWS().encode(b"{}", SECRET, algorithm="HS256")
    assert accepted(signed.encode())
    payload = signed.split(".")[1].encode()
    assert not accepted(part({"typ": "JWT"}) + b"." + payload + b"." + signed.rpartition(".")[2].encode())


def test_a_token_holds_for_a_minute_around_its_times() -> None:
    now = int(time.time())
    assert accepted(token(exp=now + 600, nbf=now - 600, iat=now))
    assert accepted(token(exp=now - LEEWAY // 2))
    assert not accepted(token(exp=now - 2 * LEEWAY))
    assert accepted(token(nbf=now + LEEWAY // 2))
    assert not accepted(token(nbf=now + 2 * LEEWAY))


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {"exp": [1]}, {"exp": None}, {"nbf": "x"}, {"exp": float("inf")}])
def test_a_time_that_is_none_is_no_proof(claims: dict[str, Any]) -> None:
    assert not accepted(jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, algorithm="HS256").encode())


def test_what_a_token_says_of_its_sender_and_receiver_is_their_own_affair() -> None:
    ahead = int(time.time()) + 3600
    claims = {"aud": "hub", "iss": "evolution", "sub": 5, "jti": 7, "iat": ahead}
    assert accepted(jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, algorithm="HS256").encode())


@pytest.mark.parametrize("payload", [b"[]", b"1", b"{", b"[" * 4000])
def test_a_signed_text_that_is_no_object_is_no_proof(payload: bytes) -> None:
    assert not accepted(jwt.PyJWS().encode(payload, SECRET, algorithm="HS256").encode())


def test_a_short_secret_is_accepted_without_a_word_on_the_terminal() -> None:
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        short = token(b"short")
    assert accepted(short, BearerJwt(b"authorization", b"short"))


@pytest.mark.slow
def test_the_library_is_imported_only_where_a_token_is_asked_for() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import statusproxy.server, sys; print('jwt' in sys.modules)"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert told.stdout == "False\n"
