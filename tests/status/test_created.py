"""The answer to a create, start or delete: evidence, unless it says that nothing was done."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import created, qr
from statusproxy.status.created import LONGEST, LONGEST_TEXT, proves_deletion, proves_start
from statusproxy.status.fields import LENIENT_AT_ONCE, parse
from tests.known_dialect import KNOWN
from tests.pictures import PNG_BASE64

WORDS = frozenset({"connected", "open", "working"})


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"CONNECTED","qrcode":null,"urlcode":"","version":"2.10.4","session":"pixel"}',  # wppconnect-server
        b'{"status":"CONNECTED","qrcode":null,"urlcode":"","version":"2.10.4"}',  # to a request that was no JSON
        b'{"success":true,"channel":{"id":"sales","status":" connected "}}',
        b'{"instance":{"instanceName":"sales","state":"open"}}',
        b'{"name":"sales","status":"WORKING"}',
        b'{"data":{"session":{"connected":true}}}',
        b'{"message":"Session is already connected"}',
        b'{"status":true,"message":"Connected"}',
        b'[{"status":"CONNECTED"}]',
        b'{"isConnected":true}',
        b'{"status":"already_connected"}',
        b'{"alreadyStarted":true}',
        b'{"message":"You are logged in"}',
        '{"message":"A sessão já existe"}'.encode(),
        b'{"code":200,"data":{"details":"Connected!"},"success":true}',  # wuzapi
        b'"connected"',
        b"Session is already connected",
        b'{"data":{"session":{"instance":{"status":"CONNECTED","connected":true}}}}',
    ],
)
def test_a_start_that_is_answered_with_connected_proves_nothing(body: bytes) -> None:
    assert not proves_start(body, WORDS, KNOWN.qr)


FAILURES = [
    {"success": False},
    {"success": False, "error": "x"},
    {"success": "false"},
    {"status": False, "message": "Disconnected"},
    {"error": "x"},
    {"error": True},
    {"errors": [{"code": 7}]},
    {"data": {"error": "x"}},
    {"status": "error"},
    {"status": "FAILED"},
    {"status": 401},
    {"statusCode": 500, "message": "Internal"},
    {"code": "INTERNAL_SERVER_ERROR"},
    {"message": "Session not found"},
    {"message": "Unable to start"},
    {"deleted": False},
    False,
    None,
    {"list": [1] * 5_000},
]


@pytest.mark.parametrize("answer", FAILURES)
def test_a_failure_that_is_answered_200_proves_nothing(answer: object) -> None:
    body = json.dumps(answer).encode()
    assert not proves_start(body, WORDS, KNOWN.qr)
    assert not proves_deletion(body)


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"success":tr', b"[" * 100_000, b"ok " * LONGEST_TEXT, b'{"a":"%b"}' % (b"A" * LONGEST)]
)
def test_what_cannot_be_read_proves_nothing(body: bytes) -> None:
    assert not proves_start(body, WORDS, KNOWN.qr)
    assert not proves_deletion(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"OK",
        b"?",
        b"[]",
        b"{}",
        b"true",
        b'{"success":true,"error":null}',
        b'{"success":true,"errors":[],"status":200}',
        b'{"status":"INITIALIZING","qrcode":null,"urlcode":"","version":"2.10.4","session":"pixel"}',  # wppconnect
        b'{"status":"CLOSED","qrcode":null}',
        b'{"status":"QRCODE","qrcode":"%b"}' % PNG_BASE64.encode(),
        b'{"success":true,"code":0}',
        b'{"success":true,"message":"Session not found, creating a new one"}',
        '{"success":true,"message":"Sessão iniciada. Se não conectar, escaneie o QR."}'.encode(),
        b'{"success":true,"message":"Session started. Please wait, do not close the window"}',
        b'{"success":true,"message":"WhatsApp session created (unavailable until the QR code is scanned)"}',
        b'{"instance":{"instanceName":"sales","status":"created"},"hash":"x"}',  # Evolution API
        b'{"name":"sales","status":"STARTING","config":{"debug":false}}',  # WAHA
        b'{"success":true,"message":"Session initiated successfully"}',  # wwebjs-api
        b'{"success":true,"channel":{"id":"sales","name":"sales","status":"qr_required"}}',
        b'{"message":"not connected","status":"not connected"}',
        b'{"message":"session_not_connected"}',
        b'{"connected":false}',
    ],
)
def test_any_other_answer_shows_that_the_session_was_started(body: bytes) -> None:
    assert proves_start(body, WORDS, KNOWN.qr)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"success":true}',
        b'{"status":"SUCCESS","error":false,"response":{"message":"Instance deleted"}}',  # Evolution API
        b'{"status":true,"message":"Session successfully closed"}',  # wppconnect-server
        b'{"success":true,"message":"Logged out successfully"}',  # wwebjs-api
        b'{"code":200,"data":{"Details":"Logged out"},"success":true}',  # wuzapi
        b'{"success":true,"channels":[{"id":"support","status":"connected"}]}',  # those that are left
        b'{"deleted":true,"channel":{"id":"sales","status":"connected"}}',  # how it was
        b'{"deletedCount":1}',
    ],
)
def test_a_success_shows_that_the_session_was_deleted(body: bytes) -> None:
    assert proves_deletion(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"deleted":0}',
        b'{"deletedCount":0}',
        b'{"success":true,"deleted":[]}',
        b'{"success":true,"results":[{"id":"sales","status":"failed"}]}',
        b'{"success":true,"results":[{"id":"sales","message":"not found"}]}',
        b'{"deleted":true,"message":"not found"}',
    ],
)
def test_a_deletion_of_nothing_is_none(body: bytes) -> None:
    assert not proves_deletion(body)


def test_a_deletion_after_which_the_session_is_connected_is_none() -> None:
    assert not proves_deletion(b'{"session":{"id":"sales","status":"CONNECTED"}}')


def test_a_code_counts_more_than_words_where_the_gateway_puts_its_codes() -> None:
    body = b'{"message":"Session not linked","pairing":"%b"}' % PNG_BASE64.encode()
    assert not proves_start(body, WORDS, KNOWN.qr)
    assert proves_start(body, WORDS, ("pairing",))


@pytest.mark.parametrize("claim", ['"status":"CONNECTED"', '"state":"WORKING"', '"message":"already connected"'])
def test_a_picture_beside_a_claim_of_connected_proves_nothing(claim: str) -> None:
    assert not proves_start(b'{%b,"qrcode":"%b"}' % (claim.encode(), PNG_BASE64.encode()), WORDS, KNOWN.qr)


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    proves_start(body, WORDS, KNOWN.qr)
    proves_deletion(body)


def test_a_long_answer_that_only_the_slow_decoder_reads_proves_nothing() -> None:
    answer = b'{"half":"\\ud83d","qrcode":"%b"%b}'
    longer = b"%b" % (b" " * LENIENT_AT_ONCE)
    assert proves_start(answer % (PNG_BASE64.encode(), b""), WORDS, KNOWN.qr)
    assert not proves_start(answer % (PNG_BASE64.encode(), longer), WORDS, KNOWN.qr)
    assert not proves_deletion(answer % (PNG_BASE64.encode(), longer))


def test_an_answer_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def counted(body: bytes, *longest: float) -> object:
        decoded.append(body)
        return parse(body, *longest)

    for module in (created, qr):
        monkeypatch.setattr(module, "parse", counted)
    assert proves_start(b' {"status":"success"} ', WORDS, KNOWN.qr)
    assert len(decoded) == 1
