"""What the QR route's answer shows."""

import json
from collections.abc import Sequence, Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import qr
from statusproxy.status.fields import LENIENT_AT_ONCE
from statusproxy.status.many_members import MOST_AT_ONCE
from statusproxy.status.qr import CONNECTED_WORDS, Answer
from statusproxy.status.qr import read as read_by
from tests.known_dialect import KNOWN
from tests.pictures import PNG_BASE64, PNG_URL

CODE = PNG_URL
BARE = "2@" + "a1B2" * 40


def read(body: bytes, members: Sequence[str] = KNOWN.qr, connected: Set[str] = CONNECTED_WORDS) -> Answer:
    return read_by(body, members, connected)


@pytest.mark.parametrize("name", KNOWN.qr)
@pytest.mark.parametrize("wrapper", [None, "data", "result"])
def test_a_code_is_seen_under_each_of_its_names(name: str, wrapper: str | None) -> None:
    answer = {name: CODE} if wrapper is None else {"success": True, wrapper: {name: CODE}}
    assert read(json.dumps(answer).encode()) is Answer.CODE


@pytest.mark.parametrize("code", [CODE, BARE])
@pytest.mark.parametrize("wrapper", ["data", "result"])
def test_a_code_is_seen_right_under_a_wrapper(code: str, wrapper: str) -> None:
    assert read(json.dumps({wrapper: code}).encode()) is Answer.CODE


def test_a_code_is_seen_in_an_object_under_its_name() -> None:
    assert read(json.dumps({"qrcode": {"base64": CODE}}).encode()) is Answer.CODE


@pytest.mark.parametrize(
    "code",
    [
        CODE,
        PNG_BASE64,
        "2@a1B2c3D4e5F6g7H8,aBcD+/==,eFgH=,iJkL==",
        "https://wa.me/settings/linked_devices#2@a1B2c3D4e5F6g7H8,aBcD+/==,eFgH=,iJkL==",
        "\n".join(["█▀▀▀▀▀█ ▄▀█ █▀▀▀▀▀█"] * 11),
        "<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0h1v1z'/></svg>",
    ],
)
def test_every_form_of_a_code_is_seen(code: str) -> None:
    assert read(json.dumps({"qr": code}).encode()) is Answer.CODE


def test_whatsapps_own_string_is_a_code_even_beside_an_error() -> None:
    assert read(json.dumps({"success": False, "qr": BARE}).encode()) is Answer.CODE


@pytest.mark.parametrize("name", ["QRCode", "Qrcode", "qrCode", "QR", "BASE64"])
def test_a_code_is_seen_whatever_the_case_of_its_name(name: str) -> None:
    assert read(json.dumps({"data": {name: CODE}}).encode()) is Answer.CODE
    assert read(json.dumps({"qr": {name: CODE}}).encode()) is Answer.CODE


@pytest.mark.parametrize("nothing", ["undefined", "null", "None", '""', "", "AAAA", PNG_BASE64[:40]])
def test_no_code_is_seen_in_a_data_url_of_nothing(nothing: str) -> None:
    assert read(json.dumps({"qr": f"data:image/png;base64,{nothing}"}).encode()) is Answer.NEITHER


@pytest.mark.parametrize(
    "claim",
    [{"message": "Session already connected"}, {"isConnected": True}, {"data": {"channelStatus": "WORKING"}}],
)
def test_a_picture_beside_a_claim_of_connected_is_an_old_code(claim: dict[str, object]) -> None:
    assert read(json.dumps({"qr": CODE, **claim}).encode()) is Answer.NEITHER
    assert read(json.dumps({"qr": CODE, "status": "CONNECTED"}).encode()) is Answer.CONNECTED
    assert read(json.dumps({"qr": BARE, **claim}).encode()) is Answer.CODE


def test_the_gateways_own_word_for_connected_is_such_a_claim() -> None:
    body = json.dumps({"qr": CODE, "status": "up"}).encode()
    assert (read(body), read(body, connected={"up"})) == (Answer.CODE, Answer.NEITHER)


@pytest.mark.parametrize(
    "beside", [{"status": "QRCODE"}, {"message": "QR code is ready"}, {"message": "Scan it to get connected"}]
)
def test_a_picture_beside_advice_is_a_code(beside: dict[str, object]) -> None:
    assert read(json.dumps({"qr": CODE, **beside}).encode()) is Answer.CODE


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "qr": None, "status": "CONNECTED"},
        {"status": "INITIALIZING"},
        {"data": "INITIALIZING"},
        {"data": "the session is being started, please wait a little and then ask for the code again"},
        {"error": "no such session"},
        {"qr": ""},
        {"qr": " "},
        {"qr": {"base64": " "}},
        {"qr": True, "data": [CODE]},
        {"qr": "null"},
        {"qr": "undefined"},
        {"qr": "data:abc"},
        {"qr": "data:image/png;base64,"},
        {"qr": "x" * 300},
        {"image": "/logo.png"},
        {"image": "/9j/logo.png"},
        {"qrcode": "https://gateway.example/qr/sales.png"},
        {"error": "Session not started", "image": "/logo.png"},
        {"error": "Session not started", "image": CODE},
        {"success": False, "qr": CODE},
        {"qr": "\n" * 30 + "no code yet"},
        {"qr": "\n".join(["█▀?▄"] * 13)},
        {"qr": "\n".join(["█▀▀▀▀▀█"] * 10)},
        {"other": {"qr": CODE}},
        [CODE],
        CODE,
        None,
    ],
)
def test_no_code_is_seen_where_there_is_none(answer: object) -> None:
    assert read(json.dumps(answer).encode()) is not Answer.CODE


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "qr": None, "status": "CONNECTED"},
        {"status": " open "},
        {"data": {"state": "connected"}},
        {"result": {"connection": "open"}},
        {"connected": True},
        {"data": "CONNECTED", "status": "CONNECTED"},
    ],
)
def test_connected_is_seen_in_every_status_field(answer: object) -> None:
    assert read(json.dumps(answer).encode()) is Answer.CONNECTED


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "disconnected"},
        {"status": "not connected"},
        {"status": ["connected"]},
        {"connected": "true"},
        {"connected": 1},
        {"data": "connected"},
        "connected",
    ],
)
def test_connected_is_not_seen_where_it_is_not_said(answer: object) -> None:
    assert read(json.dumps(answer).encode()) is not Answer.CONNECTED


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert read(body) in {Answer.NEITHER, Answer.NOT_JSON, Answer.TOO_DEEP}


def test_an_answer_nested_too_deep_shows_nothing() -> None:
    assert read(b'{"qr":' * 3_000 + b"0" + b"}" * 3_000) is Answer.TOO_DEEP


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"2@not-quoted"])
def test_what_is_not_json_is_told_from_json_that_shows_nothing(body: bytes) -> None:
    assert read(body) is Answer.NOT_JSON
    assert read(b"{}") is Answer.NEITHER


def test_another_gateways_code_is_looked_for_where_its_dialect_says() -> None:
    body = b'{"data":{"pairingCode":"%b"},"qr":"%b"}' % (PNG_BASE64.encode(), PNG_URL.encode())
    assert [read(body, members) for members in ((), ("pairingCode",), ("qr",))] == [
        Answer.NEITHER, Answer.CODE, Answer.CODE,
    ]  # fmt: skip
    assert read(b'{"qr":{"pairingCode":"%b"}}' % PNG_URL.encode(), ("qr", "pairingCode")) is Answer.CODE


def test_what_is_shown_is_named_as_the_rehearsal_prints_it() -> None:
    assert [str(each) for each in Answer] == ["code", "connected", "neither", "not-json", "too-deep"]


# Bounds


def test_a_long_answer_that_only_the_slow_decoder_reads_is_not_read() -> None:
    answer = b'{"qr":"%b","half":"\\ud83d"}' % BARE.encode()
    assert read(answer.ljust(LENIENT_AT_ONCE)) is Answer.CODE
    assert read(answer.ljust(LENIENT_AT_ONCE + 1)) is Answer.NOT_JSON
    assert read(b'{"qr":"%b"}'.ljust(256 * 1024) % BARE.encode()) is Answer.CODE


def test_an_answer_of_tens_of_thousands_of_lists_is_not_decoded() -> None:
    for number, shows in ((MOST_AT_ONCE - 10, Answer.CODE), (MOST_AT_ONCE + 1, Answer.NOT_JSON)):
        assert read(json.dumps({"qr": BARE, "x": [[]] * number}).encode()) is shows


@pytest.mark.parametrize("wrapped", [False, True])
def test_no_code_is_looked_for_among_very_many_members(wrapped: bool) -> None:
    for number, shows in ((499, Answer.CODE), (500, Answer.NEITHER)):
        members = {**dict.fromkeys(map(str, range(number)), 0), "qr": BARE}
        assert read(json.dumps({"qrcode": members} if wrapped else members).encode()) is shows


def test_few_codes_are_looked_at_however_many_members_have_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(qr, "shown", looked_at.append)
    spaced = {" " * number + "qr": f"text {number}" for number in range(400)}
    nested = {" " * number + "base64": spaced for number in range(30)}
    assert read(json.dumps({**spaced, **nested, "data": nested}).encode()) is Answer.NEITHER
    assert 0 < len(looked_at) <= 32
