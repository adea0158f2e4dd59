"""Pieces of a body: in order, joined where they are small, and counted as what they cost."""

from statusproxy.proxy.http1.body_pieces import BodyPieces


def held(*added: bytes) -> BodyPieces:
    pieces = BodyPieces()
    for piece in added:
        pieces.add(piece)
    return pieces


def test_single_bytes_count_as_what_they_cost() -> None:
    pieces = held(*[b"x"] * 1000)
    assert pieces.held > 10_000
    assert pieces.take(64) == b"x" * 64
    assert pieces.take(10_000) == b"x" * 936
    assert (pieces.held, len(pieces)) == (0, 0)


def test_a_large_piece_is_taken_alone_and_small_ones_together() -> None:
    pieces = held(b"a" * 100, b"b", b"c", b"d")
    assert list(pieces) == [b"a" * 100, b"b", b"c", b"d"]
    assert pieces.take(100) == b"a" * 100
    assert pieces.take(2) == b"bc"
    assert pieces.take(2) == b"d"
    assert pieces.held == 0


def test_pieces_are_joined_up_to_the_size_asked_for_and_a_piece() -> None:
    assert held(b"a", b"b").take(2) == b"ab"
    assert held(b"a", b"b" * 100).take(50) == b"a" + b"b" * 100
    assert held(b"aaaaa", b"b", b"c").take(6) == b"aaaaab"


def test_all_pieces_may_be_taken_at_once() -> None:
    pieces = held(b"a", b"b")
    assert (pieces.take_all(), pieces.held) == (b"ab", 0)
    pieces.add(b"c")
    assert pieces.take_all() == b"c"
    assert pieces.take_all() == b""
