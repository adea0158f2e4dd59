"""Bodies of webhooks as the documents in them."""

from urllib.parse import urlencode

import pytest

from statusproxy.learning.unpack import MOST, Unpacked, unpack

ONE = {"event": "x"}


@pytest.mark.parametrize(
    ("body", "documents"),
    [
        (b'{"event": "x"}', [ONE]),
        (b'[{"event": "x"}, {"event": "x"}, 5]', [ONE, ONE]),
        (b'{"events": [{"event": "x"}]}', [ONE]),
        (b'{"batch": [{"event": "x"}]}', [ONE]),
        (b'{"items": []}', [{"items": []}]),
        (b'{"event": "x"}\n\n{"event": "x"}\n', [ONE, ONE]),
        (b'"text"', []),
        (b"null", []),
    ],
)
def test_json_in_all_packings(body: bytes, documents: list[object]) -> None:
    assert unpack(body) == Unpacked(documents)


def test_a_form_whose_member_holds_the_json() -> None:
    form = urlencode({"token": "{no json", "jsonData": '{"event": "x"}'}).encode()
    assert unpack(form) == Unpacked([ONE], "jsonData")


@pytest.mark.parametrize(
    "body", [b"", b"a=b", b"a=b&c=%7B", b"text\n{", b"\xff=1", b"{a=b", b"[" * 100_000, b"&".join([b"a=1"] * 200)]
)
def test_what_is_none_of_them_is_nothing(body: bytes) -> None:
    assert unpack(body) is None


def test_of_many_documents_the_first_are_read() -> None:
    assert len(unpack(b"[%b]" % b",".join([b"{}"] * 50)).documents) == MOST  # type: ignore[union-attr]
    assert len(unpack(b"\n".join([b'{"a":1}'] * 50)).documents) == MOST  # type: ignore[union-attr]
    assert len(unpack(b"\n".join([b'{"a":1}'] * 50), 40).documents) == 40  # type: ignore[union-attr]
