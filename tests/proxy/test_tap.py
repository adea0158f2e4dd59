"""The copy of a body: whole while small; JSON with the same keys and short values when not."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.proxy.elision import LONG_STRING
from statusproxy.proxy.tap import DECODED_LIMIT, Tap


def tapped(body: bytes, limit: int, cuts: list[int] | None = None, coding: bytes | None = None) -> Tap:
    """A tap fed with `body` in pieces that end at `cuts`."""
    tap = Tap(limit, coding)
    start = 0
    for cut in [*sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]:
        tap.feed(body[start:cut])
        start = cut
    return tap


CUTS = st.lists(st.integers(0, 10**6), max_size=8)

#: Text that is hard to cut: escapes of all kinds, characters of one to four bytes, quotes and backslashes.
HARD = st.text(alphabet='a"\\/\b\n\té€😀\u2028\x7f', max_size=60)

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | HARD | st.builds(lambda text: text * 400, HARD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HARD, inner, max_size=4),
    max_leaves=8,
)


def assert_alike(copy: Any, document: Any, ascii_only: bool) -> None:
    """The copy has the same keys and short values, nested alike; of a long string it has the beginning."""
    assert type(copy) is type(document)
    if isinstance(document, dict):
        assert list(copy) == list(document)
        for key, value in document.items():
            assert_alike(copy[key], value, ascii_only)
    elif isinstance(document, list):
        assert len(copy) == len(document)
        for one, other in zip(copy, document, strict=True):
            assert_alike(one, other, ascii_only)
    elif isinstance(document, str) and len(json.dumps(document, ensure_ascii=ascii_only).encode()) - 2 > LONG_STRING:
        # As UTF-16, since the copy may end between the two escapes of one character.
        assert document.encode("utf-16-le").startswith(copy.encode("utf-16-le", "surrogatepass"))
    else:
        assert copy == document


@given(body=st.binary(max_size=300), cuts=CUTS)
def test_a_small_body_is_copied_whole_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    assert tapped(body, 300, cuts).finish() == body


@settings(deadline=None)
@given(document=DOCUMENTS, cuts=CUTS, ascii_only=st.booleans())
def test_the_shortened_copy_is_json_with_the_same_keys_and_short_values(
    document: Any, cuts: list[int], ascii_only: bool
) -> None:
    # A first string too long for the limit makes the tap shorten; its limit holds all that may remain.
    body = json.dumps({"media": "A" * 300_000, "document": document}, ensure_ascii=ascii_only).encode()
    copy = tapped(body, 250_000, cuts).finish()
    assert copy is not None
    assert len(copy) < 250_000
    read = json.loads(copy)  # strict: also about UTF-8
    assert_alike(read["document"], document, ascii_only)
    assert read["media"] == "A" * LONG_STRING


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("cut", range(-3, 4))
def test_a_character_is_never_cut_in_two(character: str, before: int, cut: int) -> None:
    text = "x" * (LONG_STRING - before) + character * 3000
    body = json.dumps({"text": text, "session": "sales"}, ensure_ascii=False).encode()
    tap = tapped(body, 5000, [len('{"text": "') + LONG_STRING + cut])
    read = json.loads(tap.finish() or b"")
    assert read["session"] == "sales"
    assert text.startswith(read["text"])


@pytest.mark.parametrize("escape", ["\\n", "\\\\", '\\"', "\\u00e9", "\\ud83d\\ude00"])
@pytest.mark.parametrize("cut", range(-8, 8))
def test_an_escape_is_never_cut_in_two(escape: str, cut: int) -> None:
    body = b'{"text": "' + b"x" * (LONG_STRING - 5) + escape.encode() * 3000 + b'", "session": "sales"}'
    tap = tapped(body, 5000, [len('{"text": "') + LONG_STRING + cut])
    assert json.loads(tap.finish() or b"")["session"] == "sales"


def test_every_escape_may_fall_between_two_pieces() -> None:
    body = b'{"media": "' + b"A" * 10_000 + rb'", "session": "a\"b\\\u00e9\\", "status": "inChat"}'
    for cut in range(10_000, len(body)):
        assert json.loads(tapped(body, 8000, [cut]).finish() or b"") == {
            "media": "A" * LONG_STRING,
            "session": 'a"b\\é\\',
            "status": "inChat",
        }


def test_what_is_left_out_does_not_count_towards_the_bound() -> None:
    tap = Tap(1024 * 1024)
    tap.feed(b'{"media": "')
    for _ in range(600):
        tap.feed(b"A" * 65536)
    tap.feed(b'", "session": "sales"}')
    copy = tap.finish()
    assert copy is not None
    assert len(copy) < 8192
    assert json.loads(copy)["session"] == "sales"


def test_a_body_of_many_short_strings_beyond_the_bound_is_not_copied() -> None:
    tap = tapped(json.dumps(["short"] * 10_000).encode(), 1000, [500, 2000])
    assert (tap.finish(), tap.failure) == (None, "too-large")


@pytest.mark.parametrize(
    ("coding", "fold"), [(b"gzip", gzip.compress), (b"X-GZIP", gzip.compress), (b"deflate", zlib.compress)]
)
@given(cuts=CUTS)
def test_a_compressed_body_is_copied_unfolded(coding: bytes, fold: Any, cuts: list[int]) -> None:
    body = b'{"event":"status-find","session":"sales","status":"browserClose"}'
    assert tapped(fold(body), 1000, cuts, coding).finish() == body


def test_a_compressed_body_is_shortened_like_any_other() -> None:
    body = json.dumps({"media": "A" * 5_000_000, "session": "sales"}).encode()
    assert json.loads(tapped(gzip.compress(body), 10_000, coding=b"gzip").finish() or b"")["session"] == "sales"


def test_a_bomb_is_given_up_before_it_has_unfolded() -> None:
    bomb = gzip.compress(bytes(DECODED_LIMIT + 1024 * 1024), 9)
    tap = tapped(b'"' + bomb, 1000, coding=None)  # not compressed as far as anybody said: nothing to unfold
    assert tap.failure is None or tap.failure == "too-large"
    tap = tapped(bomb, 1000, coding=b"gzip")
    assert (tap.finish(), tap.failure) == (None, "too-large")


@pytest.mark.parametrize("body", [b"not gzip at all", gzip.compress(b"{}" * 100)[:-4]])
def test_a_broken_coding_is_a_failure_and_not_an_error(body: bytes) -> None:
    tap = tapped(body, 1000, coding=b"gzip")
    assert (tap.finish(), tap.failure) == (None, "broken-coding")


@pytest.mark.parametrize("coding", [b"compress", b"gzip, br"])
def test_a_coding_the_tap_does_not_know_is_a_failure_at_once(coding: bytes) -> None:
    assert Tap(1000, coding).failure == "coding"


@pytest.mark.parametrize("coding", [None, b"", b"identity"])
def test_no_coding_is_the_rule(coding: bytes | None) -> None:
    assert tapped(b"{}", 1000, coding=coding).finish() == b"{}"
