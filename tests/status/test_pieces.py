"""Cutting a long document: every byte is in the frame or in one piece, and no step is long."""

import json

import pytest
from hypothesis import given

from statusproxy.status import pieces
from statusproxy.status.pieces import Cut, TooLargeError, cut
from statusproxy.status.steps import at_once
from tests.status.test_channels import documents, values

pytestmark = pytest.mark.divisible


def cut_all(document: bytes, piece: int = 8, largest: int = 1_000) -> Cut:
    return at_once(cut(document, piece, largest))


def whole(document: bytes, parts: Cut) -> bytes:
    """The document put together again from the frame's arrays and their pieces."""
    for number, one in enumerate(parts.arrays):
        first, *others = (document[start:end] for start, end in one.pieces())
        content = b"".join([first, *(b"," + other for other in others)])
        assert document[one.start : one.end] == b"[" + content + b"]", number
    return document


def test_a_list_is_cut_between_elements_and_the_frame_names_it() -> None:
    document = b'{"a":1,"channels":[{"id":"x,y"},[1,2],"],",3,{"b":[4]}],"z":[]}'
    parts = cut_all(document, piece=4)
    assert parts.frame == b'{"a":1,"channels":[0],"z":[1]}'
    found = [document[start:end] for start, end in parts.arrays[0].pieces()]
    assert len(found) > 2
    assert [value for piece in found for value in json.loads(b"[" + piece + b"]")] == json.loads(document)["channels"]


@given(documents | values.map(str.encode))
def test_every_byte_is_in_the_frame_or_in_a_piece(document: bytes) -> None:
    document = document.removeprefix(b"\xef\xbb\xbf")
    parts = cut_all(document, largest=10_000)
    whole(document, parts)
    left = document
    for one in reversed(parts.arrays):
        left = left[: one.start + 1] + b"%d" % parts.arrays.index(one) + left[one.end - 1 :]
    assert left == parts.frame
    for one in parts.arrays:
        for start, end in one.pieces():
            assert json.loads(b"[" + document[start:end].replace(b"\xe9", b"e") + b"]") is not None


@pytest.mark.parametrize(
    "document",
    [b'["a', b"[1,2", b'[{"a":"b]', b"[1,2}", b'{"a":[1,{"b":2}}', b'"abc\\"', b'["\\', b'["' + b"a" * 20 + b"\\"],
)
def test_what_does_not_close_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match="end"):
        cut_all(document)


def test_a_comma_before_the_end_is_in_no_piece_alone() -> None:
    with pytest.raises(ValueError, match="end"):
        cut_all(b'[{"id":"aaaaaaaaa"}, ]')


@pytest.mark.parametrize("document", [b'[ \n ,{"id":"a"}]', b'[{"id":"a"}, \n ,{"id":"b"}]', b'{"x":[ \t\r ,1]}'])
def test_a_piece_without_an_element_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match="no element"):
        cut_all(document, piece=2)


@pytest.mark.parametrize("element", [b"1", b'{"id":"a"}', b"[[[[[[1]]]]]]", b'{"a":{"b":{"c":{"d":{"e":1}}}}}'])
def test_pieces_are_about_as_long_as_asked_and_none_but_the_last_is_shorter(element: bytes) -> None:
    (array,) = cut_all(b"[" + b",".join([element] * 300) + b"]", piece=100, largest=10_000).arrays
    *sizes, last = (end - start for start, end in array.pieces())
    assert min(sizes) >= 100
    assert max(*sizes, last) <= 300 + len(element)


@pytest.mark.parametrize(
    "document",
    [b'["' + b"a" * 2_000 + b'"]', b'{"a":"' + b"a" * 2_000 + b'"}', b'[{"a":[' + b"1," * 1_000 + b"1]}]"],
)
def test_an_element_that_cannot_be_cut_is_too_large(document: bytes) -> None:
    with pytest.raises(TooLargeError):
        cut_all(document)


@pytest.mark.parametrize(
    ("document", "size"),
    [
        (b'["aaaa"]', 6),
        (b'[[1],{"a":2}]', 7),
        (b'{"a":1}', 7),
        (b'{"a":[1],"b":2}', 15),
        (b'{"a":[{}],"b":[],"c":3}', 23),
    ],
)
def test_what_is_not_cut_may_be_as_large_as_it_may_and_not_a_byte_larger(document: bytes, size: int) -> None:
    assert cut_all(document, piece=2, largest=size).arrays is not None
    with pytest.raises(TooLargeError):
        cut_all(document, piece=2, largest=size - 1)


@pytest.mark.parametrize("size", range(6))
def test_brackets_in_strings_and_ends_of_objects_are_no_arrays_wherever_a_window_ends(size: int) -> None:
    text = b'"' + b"[]{}" * 10 + b"x" * size + b'"'
    for document in (b'{"a":' + text + b',"b":' + b"1" * (size + 1) + b"}", b" " * size + b"{}", text):
        assert cut_all(document, piece=2) == Cut(document, [])
    listed = cut_all(b"[" + text + b"]", piece=2)
    assert (listed.frame, [(one.start, one.end) for one in listed.arrays]) == (b"[0]", [(0, len(text) + 2)])


def test_more_arrays_than_an_answer_can_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_ARRAYS", 3)
    with pytest.raises(TooLargeError):
        cut_all(b'{"a":[],"b":[],"c":[],"d":[]}')


@pytest.mark.parametrize("unit", [b"{}", b"0", b'"\\\\\\""', b"[[[[[{}]]]]]", b'{"a":"b","c":{"d":[1]}}'])
@pytest.mark.slow
def test_a_step_looks_at_a_bounded_part_however_long_the_list(unit: bytes) -> None:
    def steps(size: int) -> int:
        return sum(1 for _ in cut(b"[" + b",".join([unit] * (size // len(unit + b","))) + b"]"))

    few, many = steps(150_000), steps(600_000)
    assert few > 0
    assert 3 * few <= many < 2_000


def test_a_string_as_long_as_the_document_is_passed_in_steps() -> None:
    document = b'["' + b'\\"' * 500_000 + b'"]'
    assert sum(1 for _ in cut(document, largest=len(document))) >= 7
