"""Long strings left out: the same result however the document is cut, and the same time whatever it holds."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.proxy import elision
from statusproxy.proxy.elision import LONG_STRING, Elider
from tests.processor_time import takes_less

BLOCK = 64 * 1024

CUTS = st.lists(st.integers(0, 10**6), max_size=8)

#: Text that is hard to cut: escapes of all kinds, characters of one to four bytes, quotes and backslashes.
HARD = st.text(alphabet='a"\\/\b\n\té€😀\u2028\x7f', max_size=60)

#: Texts just below, at and above the length from which they are shortened.
LONG = st.builds(lambda before, text, size: before + (text * size)[:size], HARD, HARD, st.integers(0, LONG_STRING + 40))

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | HARD | LONG,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HARD | LONG, inner, max_size=4),
    max_leaves=8,
)


def shortened(body: bytes, cuts: list[int]) -> bytes:
    """What comes of `body` fed in blocks that end at `cuts`."""
    elider = Elider()
    ends = [*sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    given = [elider.feed(body[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    return b"".join(given) + elider.end()


def by_hand(body: bytes, longest: int = LONG_STRING) -> bytes:
    """The same, found byte by byte: the rule as it is written down."""
    result, at = b"", 0
    while at < len(body):
        if body[at : at + 1] != b'"':
            result += body[at : at + 1]
            at += 1
            continue
        units = []  # the string's escapes and characters
        at += 1
        while body[at : at + 1] != b'"':
            size = 1
            if body[at : at + 1] == b"\\":
                size = 6 if body[at + 1 : at + 2] == b"u" else 2
            else:
                while body[at + size : at + size + 1] and body[at + size] & 0xC0 == 0x80:
                    size += 1
            units.append(body[at : at + size])
            at += size
        at += 1
        inside = b"".join(units)
        if len(inside) > longest:
            while len(inside) > longest:
                inside = inside[: len(inside) - len(units.pop())]
        result += b'"' + inside + b'"'
    return result


@settings(deadline=None)
@given(document=DOCUMENTS, cuts=CUTS, ascii_only=st.booleans())
def test_the_result_is_what_the_rule_says_however_the_document_is_cut(
    document: Any, cuts: list[int], ascii_only: bool
) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert shortened(body, cuts) == by_hand(body)


@settings(deadline=None)
@given(document=DOCUMENTS, ascii_only=st.booleans())
def test_the_result_is_json(document: Any, ascii_only: bool) -> None:
    json.loads(shortened(json.dumps(document, ensure_ascii=ascii_only).encode(), []))  # strict: also about UTF-8


@settings(deadline=None)
@given(body=st.lists(st.sampled_from([b'"', b"\\", b"\\u", b"x" * 3000, b"\x80", b"{"]), max_size=20), cuts=CUTS)
def test_what_is_not_json_gives_the_same_however_it_is_cut(body: list[bytes], cuts: list[int]) -> None:
    assert shortened(b"".join(body), cuts) == shortened(b"".join(body), [])


#: Strings around a length of twelve bytes, with every kind of neighbour: empty ones, escapes and what looks like one.
SMALL = [
    '["A","?????????????\\\\","","b","cccccccccccc\\"?","d"]',
    '["\\\\\\\\\\\\\\\\\\\\\\\\\\\\",["x\\\\\\\\\\u0041\\\\u0041","","éééééééé"]]',
    '["aaaaaa\\u0041\\u0041","aaaaaaa\\\\u0041b","?\\\\?\\\\?\\\\?\\\\?\\\\?\\\\","aaaaaaaaaaa\\""]',
    '{"":"","aaaaaaaaaaaaa":"","b":"aaaaaaaaaaaaa","cccccccccccc":["","aaaaaaaaaaaaa",""],"aaaaaaaaaaaaaaa":1}',
    '["xxxxxxxx?\\u0041\\u0041"]',
    '["aaaaaaaa€€","aaaaaaaaaa😀😀😀","\\\\\\\\\\"\\"\\"\\"\\"\\"","aaaaaaaaa\\n\\n\\n",123456789012345,""]',
]


@pytest.mark.parametrize("text", SMALL)
def test_wherever_two_blocks_meet_the_result_is_what_the_rule_says(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elision, "LONG_STRING", 12)
    body = text.encode()
    json.loads(body)
    expected = by_hand(body, 12)
    for one in range(len(body) + 1):
        assert shortened(body, [one]) == expected
        for other in range(one, len(body) + 1):
            assert shortened(body, [one, other]) == expected
    assert shortened(body, list(range(len(body)))) == expected


def test_a_string_of_just_the_length_is_kept_whole() -> None:
    for size in (LONG_STRING - 1, LONG_STRING, LONG_STRING + 1):
        assert json.loads(shortened(b'["%b"]' % (b"A" * size), [])) == ["A" * min(size, LONG_STRING)]


@pytest.mark.parametrize("unit", ["é", "€", "😀", "\\n", "\\\\", "\\u0041", "?\\n", "?\\u0041", "?\\\\"])
@pytest.mark.parametrize("before", range(8))
def test_a_string_is_cut_before_the_character_or_escape_that_would_be_divided(unit: str, before: int) -> None:
    body = b'["%b"]' % (b"A" * before + unit.encode() * LONG_STRING)
    assert shortened(body, []) == by_hand(body)


def test_long_white_space_and_numbers_are_no_strings() -> None:
    body = b'{"a":' + b" " * 3 * LONG_STRING + b"1" * 3 * LONG_STRING + b',"b":"c"}'
    for cut in range(0, len(body), 997):
        assert shortened(body, [cut]) == body


ORDINARY = b'{"media":"' + b"A" * 4_000_000 + b'"}'

ATTACKS = {
    "backslashes": b'{"media":"' + b"\\\\" * 2_000_000 + b'"}',
    "quotes": b'{"media":"' + b'\\"' * 2_000_000 + b'"}',
    "both": b'{"media":"' + b'\\\\\\"' * 1_000_000 + b'"}',
    "characters": b'{"media":"' + b"\\u0041" * 666_666 + b'"}',
    "empty strings": b'{"media":[' + b'"",' * 1_333_333 + b'""]}',
    "strings just long": b"[" + (b'"' + b"A" * (LONG_STRING + 1) + b'",') * 975 + b'""]',
    "strings not quite long": b"[" + (b'"' + b"A" * LONG_STRING + b'",') * 975 + b'""]',
    "long strings of escapes": b"[" + (b'"' + b"\\n" * 2049 + b'",') * 975 + b'""]',
}


def shorten(body: bytes) -> None:
    """Shorten a body block by block."""
    elider = Elider()
    for at in range(0, len(body), BLOCK):
        elider.feed(body[at : at + BLOCK])


@pytest.mark.parametrize("name", ATTACKS)
def test_no_body_takes_very_many_times_as_long_as_media_of_its_size(name: str) -> None:
    """Media takes two searches of memory. Going from one short string to the next took 1 900 times as long."""
    assert takes_less(lambda: shorten(ATTACKS[name]), 200, lambda: shorten(ORDINARY))
