"""Requests are read, and answers made, as Express does."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Request

from statusproxy.demo.express import (
    JSON_LIMIT,
    BadBodyError,
    express_answer,
    json_answer,
    json_body,
    match,
    number,
    weak_etag,
)


def test_an_etag_is_made_as_express_makes_it() -> None:
    # Express's own, for res.json({}) and res.send("hello"), as its current release answers them.
    assert weak_etag(b"{}") == 'W/"2-vyGp6PvFo4RvsFtPoIWeCReyIC8"'
    assert weak_etag(b"hello") == 'W/"5-qvTGHdzF6KLavt4PO0gs2a6pQ00"'


@pytest.mark.parametrize(
    ("pattern", "segments", "parameters"),
    [
        (("api", ":session"), ["API", "Sales"], ["Sales"]),
        (("api",), ["api"], []),
        (("api",), ["other"], None),
        (("api", ":session"), ["api"], None),
    ],
)
def test_literals_match_in_any_case_and_parameters_keep_theirs(
    pattern: tuple[str, ...], segments: list[str], parameters: list[str] | None
) -> None:
    assert match(pattern, segments) == parameters


class Body:
    """A request's body in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def iter_any(self):  # type: ignore[no-untyped-def]
        for piece in self._pieces:
            yield piece


def request(method: str = "GET", path: str = "/", *pieces: bytes, **headers: str) -> Request:
    made = make_mocked_request(method, path, {name.replace("_", "-"): value for name, value in headers.items()})
    made._payload = Body(*pieces)  # type: ignore[assignment]
    return made


async def test_an_empty_body_is_an_empty_object() -> None:
    assert await json_body(request()) == {}


async def test_a_body_in_pieces_is_one_document() -> None:
    assert await json_body(request("POST", "/", b'{"a"', b":1}")) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [(b"{", 400, "invalid JSON"), (b"[]", 400, "object"), (b" " * (JSON_LIMIT + 1), 413, "too large")],
)
async def test_a_body_the_parser_refuses_has_a_status(body: bytes, status: int, message: str) -> None:
    with pytest.raises(BadBodyError, match=message) as caught:
        await json_body(request("POST", "/", body))
    assert caught.value.status == status


def test_a_number_in_the_query_has_a_default() -> None:
    assert (number(request(path="/?n=7"), "n", 1), number(request(path="/?n=x"), "n", 1)) == (7, 1)
    assert number(request(), "n", 1) == 1


def test_json_is_compact_and_has_an_etag() -> None:
    answer = json_answer(request(), {"a": ["é", 1]})
    assert answer.body == '{"a":["é",1]}'.encode()
    assert answer.headers["ETag"] == weak_etag('{"a":["é",1]}'.encode())
    assert (answer.headers["X-Powered-By"], answer.headers["Keep-Alive"]) == ("Express", "timeout=5")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"If_None_Match": weak_etag(b"x")}, 304),
        ("HEAD", {"If_None_Match": weak_etag(b"x").removeprefix("W/")}, 304),
        ("GET", {"If_None_Match": '"other", ' + weak_etag(b"x")}, 304),
        ("GET", {"If_None_Match": "*"}, 304),
        ("GET", {"If_None_Match": '"other"'}, 200),
        ("GET", {}, 200),
        ("GET", {"If_None_Match": weak_etag(b"x"), "Cache_Control": "no-cache"}, 200),
        ("POST", {"If_None_Match": weak_etag(b"x")}, 200),
    ],
)
def test_who_has_the_answer_is_spared_it(method: str, headers: dict[str, str], status: int) -> None:
    assert express_answer(request(method, **headers), b"x", "text/plain", 200).status == status


def test_an_error_is_never_called_unchanged() -> None:
    assert express_answer(request(If_None_Match="*"), b"x", "text/plain", 404).status == 404
