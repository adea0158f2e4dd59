"""A token in the body as a sender's proof: in JSON by its path, in a form by its name."""

import json
from urllib.parse import urlencode

import pytest

from statusproxy.proxy.body_token import BodyToken

SECRET = "k3y/of+the=hub é"
FLAT, NESTED = BodyToken("apikey", SECRET.encode()), BodyToken("data.auth.apikey", SECRET.encode())
HALF = b'"half an emoji \\ud83d"'


@pytest.mark.parametrize("before", ["", " \r\n", "\ufeff"])
def test_a_member_of_the_body_is_a_proof(before: str) -> None:
    body = {"event": "connection.update", "data": {"state": "close"}, "apikey": SECRET}
    assert FLAT.stands_in((before + json.dumps(body)).encode())
    assert FLAT.stands_in((before + json.dumps(body, ensure_ascii=False)).encode())


@pytest.mark.parametrize(
    "given", ["wrong", "", SECRET + " ", SECRET.upper(), None, True, [SECRET], {"apikey": SECRET}, "x" * 5000]
)
def test_another_value_is_not(given: object) -> None:
    assert not FLAT.stands_in(json.dumps({"event": "x", "apikey": given}).encode())


def test_a_number_counts_as_it_is_written() -> None:
    assert BodyToken("pin", b"4711").stands_in(b'{"pin": 4711}')


def test_dots_lead_into_objects_and_nowhere_else() -> None:
    assert NESTED.stands_in(json.dumps({"data": {"auth": {"apikey": SECRET}}}).encode())
    for other in (
        {"apikey": SECRET},
        {"data": {"apikey": SECRET}},
        {"data": [{"auth": {"apikey": SECRET}}]},
        {"data": 1},
    ):
        assert not NESTED.stands_in(json.dumps(other).encode())
    assert not FLAT.stands_in(json.dumps({"data": {"apikey": SECRET}}).encode())


def test_the_last_of_repeated_members_counts_as_for_the_gateway() -> None:
    right = json.dumps(SECRET).encode()
    assert FLAT.stands_in(b'{"apikey": "x", "apikey": %b}' % right)
    assert not FLAT.stands_in(b'{"apikey": %b, "apikey": "x"}' % right)


@pytest.mark.parametrize(
    "body", [b"", b" ", b"null", b"{", b"[", b'"apikey"', b"\xff", b'{"apikey":' * 9000, b"[" * 90_000]
)
def test_what_is_no_object_proves_nothing(body: bytes) -> None:
    assert not FLAT.stands_in(body)


def test_several_documents_prove_nothing() -> None:
    one = json.dumps({"apikey": SECRET})
    in_form = urlencode({"apikey": SECRET})
    for body in (f"[{one}]", f"{one}\n{one}", f"[{one}, {{}}]", f'["&{in_form}&"]'):
        assert not FLAT.stands_in(body.encode())


def test_half_a_character_elsewhere_is_no_hindrance_in_a_body_of_usual_length() -> None:
    right = json.dumps(SECRET).encode()
    assert FLAT.stands_in(b'{"name": %b, "apikey": %b}' % (HALF, right))
    assert not FLAT.stands_in(b'{"name": %b, "apikey": "x"}' % HALF)
    body = b'{"name": %b, "apikey": %b, "media": "%%b"}' % (HALF, right)
    room = 64 * 1024 - len(body % b"")
    assert FLAT.stands_in(body % (b"x" * room))
    assert not FLAT.stands_in(body % (b"x" * (room + 1)))


def test_a_member_is_found_in_a_body_of_any_length() -> None:
    token = BodyToken("data.apikey", b"right")
    assert token.stands_in(b'{"data": {"apikey": "right"}, "media": "%b"}' % (b"x" * 70_000))
    assert not token.stands_in(b'{"data": {"apikey": "wrong"}, "media": "%b"}' % (b"x" * 70_000))


def test_a_secret_may_have_4096_bytes_as_it_is_written() -> None:
    for more, holds in (("ab", True), ("abc", False)):
        secret = "😀" * 341 + more
        written = json.dumps({"apikey": secret})  # twelve bytes for each emoji, and two quotes
        assert BodyToken("apikey", secret.encode()).stands_in(written.encode()) is holds
    name = "n" * 4096
    for length, holds in ((4096, True), (4097, False)):
        secret = "s" * length
        assert BodyToken(name, secret.encode()).stands_in(f"{name}={secret}".encode()) is holds


def test_tokens_of_one_member_and_secret_are_equal() -> None:
    assert BodyToken("apikey", b"key") == BodyToken("apikey", b"key")
    assert BodyToken("apikey", b"key") != BodyToken("apikey", b"other")


def test_a_member_of_a_form_is_a_proof() -> None:
    form = {"jsonData": json.dumps({"type": "LoggedOut"}), "apikey": SECRET}
    assert FLAT.stands_in(urlencode(form).encode())
    assert NESTED.stands_in(urlencode({"data.auth.apikey": SECRET}).encode())
    assert FLAT.stands_in(b"%61pikey=" + urlencode({"": SECRET}).encode()[1:])
    assert not FLAT.stands_in(urlencode({**form, "apikey": "wrong"}).encode())
    assert not FLAT.stands_in(urlencode({"jsonData": json.dumps({"apikey": SECRET})}).encode())
    assert not FLAT.stands_in(b"apikey")


def test_of_a_form_the_first_member_of_that_name_counts() -> None:
    right = urlencode({"apikey": SECRET}).encode()
    assert FLAT.stands_in(right + b"&apikey=wrong")
    assert not FLAT.stands_in(b"apikey=wrong&" + right)


def test_a_form_made_to_cost_time_is_looked_through_only_at_its_beginning() -> None:
    right = urlencode({"apikey": SECRET}).encode()
    assert FLAT.stands_in(b"a&" * 60 + right)
    assert not FLAT.stands_in(b"a&" * 100_000 + right)
    assert not FLAT.stands_in(b"apikey=" + b"%41" * 2000)
    assert FLAT.stands_in(b"jsonData=" + b"%7b" * 100_000 + b"&" + right)
