"""Where the elements of a list stand: by their sizes where these tell it, and by a walk where they do not."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from statusproxy.status import element_spans
from statusproxy.status.element_spans import FEW, Spans, as_spans, found_spans, given_spans, lay_out
from statusproxy.status.steps import at_once
from tests.status.counting import counted

RAWS = msgspec.json.Decoder(list[Raw])


def test_spans_are_found_by_their_sizes_or_as_they_are_given() -> None:
    for starts in (None, [10, 14, 17]):
        spans = Spans(10, [3, 2, 4], 1, starts)
        assert [spans[index] for index in (2, 0, 1)] == [(17, 21), (10, 13), (14, 16)]


def test_many_spans_are_found_as_a_few_are() -> None:
    spans = Spans(10, [3, 2] * FEW, 1)
    places = [spans[index] for index in range(2 * FEW)]
    assert places[:3] == [(10, 13), (14, 16), (17, 20)]
    assert places == [spans[index] for index in range(2 * FEW)]


class Sizes(list[int]):
    """Sizes that count how often many of them are looked at."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        self.looks += isinstance(index, slice)
        return super().__getitem__(index)


def test_the_sizes_before_a_span_are_added_up_for_a_few_spans_only() -> None:
    sizes = Sizes([3, 2] * 100)
    spans = Spans(10, sizes, 1)
    assert [spans[199] for _ in range(200)] == [(707, 709)] * 200
    assert sizes.looks == FEW


@pytest.mark.parametrize("document", [b'[1,"x",{}]', b'[ 1 , "x" , {} ]', b"[1, 2]", b'["only"]', b"[]"])
def test_elements_with_the_same_between_them_are_laid_over_the_document(document: bytes) -> None:
    raws = RAWS.decode(document)
    layout = lay_out(document, 0, raws)
    assert layout is not None
    assert layout.end == len(document)
    spans = at_once(found_spans(document, 0, layout, raws, 100))
    places = [spans[index] for index in range(len(raws))]
    assert [document[first - 100 : last - 100] for first, last in places] == list(map(bytes, raws))


@pytest.mark.parametrize("window", [0, 1_000])
def test_elements_with_something_else_between_some_are_found_by_a_walk(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(element_spans, "WINDOW", window)
    document = b'[1,"x" , {}]'
    raws = RAWS.decode(document)
    assert lay_out(document, 0, raws) is None
    spans, steps = counted(found_spans(document, 0, None, raws, 0))
    assert [document[slice(*spans[index])] for index in range(3)] == [b"1", b'"x"', b"{}"]
    assert (steps >= 2) is (window < len(document))
    moved = at_once(found_spans(document, 0, None, raws, 100))
    assert [moved[index] for index in range(3)] == [(101, 102), (103, 106), (109, 111)]


def test_a_list_is_not_laid_over_another_one() -> None:
    assert lay_out(b"[1,2,3]", 0, RAWS.decode(b"[1,2]")) is None
    assert lay_out(b"[1,2]", 0, RAWS.decode(b"[1,3]")) is None


def test_spans_that_are_known_are_as_they_were_given() -> None:
    for spans in (as_spans([(2, 5), (9, 10)]), at_once(given_spans([(2, 5), (9, 10)]))):
        assert [spans[0], spans[1]] == [(2, 5), (9, 10)]
