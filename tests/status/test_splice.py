"""Editing byte spans."""

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import splice as module
from statusproxy.status.splice import splice, splice_in_steps
from tests.status.counting import counted


def test_new_values_stand_between_what_was_there() -> None:
    assert splice(b"0123456789", [(8, 9, b""), (2, 4, b"<long>"), (4, 5, b"=")]) == b"01<long>=5679"


def test_without_edits_it_is_the_same() -> None:
    assert splice(b"abc", []) == b"abc"


@given(st.binary(max_size=40), st.lists(st.integers(0, 40), max_size=8), st.binary(max_size=5))
def test_it_does_what_slicing_from_the_end_does(document: bytes, cuts: list[int], value: bytes) -> None:
    edges = sorted({min(cut, len(document)) for cut in cuts})
    edits = [(first, last, value) for first, last in zip(edges[::2], edges[1::2], strict=False)]
    slowly = document
    for first, last, new in reversed(edits):
        slowly = slowly[:first] + new + slowly[last:]
    assert splice(document, reversed(edits)) == slowly
    with mock.patch.multiple(module, _AT_ONCE=1, _BLOCK=8):
        found, steps = counted(splice_in_steps(document, edits[::-1]))
        assert (found, steps > 0) == (slowly, len(edits) > 1)
        with mock.patch.multiple(module, COPIED=4, _COPY=3):
            assert counted(splice_in_steps(document, edits[::-1]))[0] == slowly


def test_thousands_of_edits_are_made_some_at_a_time() -> None:
    edits = [(at, at + 1, b"xy") for at in range(0, 100_000, 5)]
    document = bytes(100_000)
    assert len(list(splice_in_steps(document, edits))) >= len(edits) // 4_096
    assert counted(splice_in_steps(document, edits))[0] == splice(document, edits)


def test_edits_that_stand_close_together_are_put_in_order_some_at_a_time() -> None:
    edits = [(at, at + 1, b"xy") for at in range(20_000)]
    found, steps = counted(splice_in_steps(bytes(20_000), edits))
    assert found == b"xy" * 20_000
    assert len(edits) // 1_024 <= steps <= len(edits) // 256


def test_edits_that_stand_far_apart_are_made_some_kilobytes_of_the_document_at_a_time() -> None:
    document = bytes(2 * 1024 * 1024)
    edits = [(at, at + 1, b"x") for at in range(0, len(document), 1_024)]
    found, steps = counted(splice_in_steps(document, edits))
    assert found == splice(document, edits)
    assert len(document) // 16_384 <= steps < len(edits)


def test_a_long_document_with_one_edit_is_copied_in_steps() -> None:
    document = bytes(9 * 1024 * 1024)
    found, steps = counted(splice_in_steps(document, [(10, 11, b"xy")]))
    assert found == splice(document, [(10, 11, b"xy")])
    assert steps >= 8
