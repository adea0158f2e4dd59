"""Bodies of webhooks as the documents in them."""

from urllib.parse import urlencode

import pytest

from statusproxy.learning.unpack import MOST, Unpacked, unpack
from statusproxy.status.fields import MISSING, Array

ONE = {"event": "x"}


def plain(value: object) -> object:
    """Documents with lists in place of arrays that were left out except for their first."""
    if isinstance(value, Array):
        return [] if value.first is MISSING else [plain(value.first)]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("body", "documents"),
    [
        (b'{"event": "x"}', [ONE]),
        (b'[{"event": "x"}, {"event": "x"}, 5]', [ONE, ONE]),
        (b'{"events": [{"event": "x"}]}', [ONE]),
        (b'{"batch": [{"event": "x"}]}', [ONE]),
        (b'{"items": []}', [{"items": []}]),
        (b'{"events": [{"line": 7}, {"line": 8}]}', [{"line": 7}, {"line": 8}]),
        (b'{"line": 7, "events": [{"line": 7}]}', [{"line": 7, "events": [{"line": 7}]}]),
        (b'{"n": 1, "data": [{"event": "x"}, {"event": "x"}]}', [ONE, ONE]),
        (b'{"data": [{"id": "x"}]}', [{"data": [{"id": "x"}]}]),
        (b'{"what": "order", "items": [{"what": "tea"}]}', [{"what": "order", "items": [{"what": "tea"}]}]),
        (b'[{"line": 7}, {"line": 8}]', [{"line": 7}, {"line": 8}]),
        (b'{"events": [{"event": "x", "n": "\\ud800"}, {"event": "x"}]}', [{"event": "x", "n": "\ud800"}, ONE]),
        (b'{"event": "x"}\n\n{"event": "x"}\n', [ONE, ONE]),
    ],
)
def test_json_in_all_packings(body: bytes, documents: list[object]) -> None:
    unpacked = unpack(body)
    assert unpacked is not None
    assert (plain(unpacked.documents), unpacked.form) == (documents, None)


def test_a_form_whose_member_holds_the_json() -> None:
    form = urlencode({"token": "{no json", "jsonData": '{"event": "x"}'}).encode()
    assert unpack(form) == Unpacked([{"token": "{no json", "event": "x"}], "jsonData")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'"text"',
        b"null",
        b"[]",
        b"[[]]",
        b"a=b",
        b"a=b&c=%7B",
        b"text\n{",
        b"\xff=1",
        b"{a=b",
        b"[" * 100_000,
        b"&".join([b"a=1"] * 200),
    ],
)
def test_what_is_none_of_them_is_nothing(body: bytes) -> None:
    assert unpack(body) is None


def test_of_many_documents_the_first_are_read() -> None:
    assert len(unpack(b"[%b]" % b",".join([b'{"a":1}'] * 50)).documents) == MOST  # type: ignore[union-attr]
    assert len(unpack(b"\n".join([b'{"a":1}'] * 50)).documents) == MOST  # type: ignore[union-attr]
    assert len(unpack(b"\n".join([b'{"a":1}'] * 50), 40).documents) == 40  # type: ignore[union-attr]
