"""What the QR route's answer shows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.dialect import QR_MEMBERS
from statusproxy.status.qr import Answer, is_image, read

CODE = "data:image/png;base64,iVBORw0KGgo="
BARE = "2@" + "a1B2" * 40


@pytest.mark.parametrize("name", QR_MEMBERS)
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
        "data:image/svg+xml;utf8,<svg/>",
        "data:image/png;charset=utf-8;base64,iVBORw0KGgo=",
        "iVBORw0KGgoAAAANSUhEUgAAAQ==",
        "/9j/4AAQSkZJRg==",
        "R0lGODlhAQABAAAAACw=",
        "2@a1B2c3D4e5F6g7H8,aBcD+/==,eFgH=,iJkL==",
        "https://wa.me/settings/linked_devices#2@a1B2c3D4e5F6g7H8,aBcD+/==,eFgH=,iJkL==",
        "\n".join(["█▀▀▀▀▀█ ▄▀█ █▀▀▀▀▀█"] * 13),
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_every_form_of_a_code_is_seen(code: str) -> None:
    assert read(json.dumps({"qr": code}).encode()) is Answer.CODE


def test_whatsapps_own_string_is_a_code_even_beside_an_error() -> None:
    assert read(json.dumps({"success": False, "qr": BARE}).encode()) is Answer.CODE


@pytest.mark.parametrize(
    ("body", "image"),
    [(b"\x89PNG\r\n", True), (b"\xff\xd8\xff\xe0", True), (b" <svg/>", True), (b"", False), (b"<html>", False)],
)
def test_an_image_is_known_by_its_bytes(body: bytes, image: bool) -> None:
    assert is_image(body) is image


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
        {"status": "connected", "qr": CODE},
        "connected",
    ],
)
def test_connected_is_not_seen_where_it_is_not_said(answer: object) -> None:
    assert read(json.dumps(answer).encode()) is not Answer.CONNECTED


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert read(body) in {Answer.NEITHER, Answer.NOT_JSON}


def test_an_answer_nested_too_deep_shows_nothing() -> None:
    assert read(b'{"qr":' * 100_000) is Answer.NOT_JSON


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"2@not-quoted"])
def test_what_is_not_json_is_told_from_json_that_shows_nothing(body: bytes) -> None:
    assert read(body) is Answer.NOT_JSON
    assert read(b"{}") is Answer.NEITHER


def test_another_gateways_code_is_looked_for_where_its_dialect_says() -> None:
    body = b'{"data":{"pairingCode":"iVBORw0KGgo="},"qr":"/9j/4AAQ"}'
    assert [read(body, members) for members in ((), ("pairingCode",), ("qr",))] == [
        Answer.NEITHER, Answer.CODE, Answer.CODE,
    ]  # fmt: skip
    assert read(b'{"qr":{"pairingCode":"iVBORw0KGgo="}}', ("qr", "pairingCode")) is Answer.CODE
