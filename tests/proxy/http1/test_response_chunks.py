"""The chunked coding of answers: what passes, what is refused, and that neither depends on how the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.http1.response_chunks import LONGEST_LINE, MOST_EXTENSIONS, ChunkDecoder, ChunkError

LARGE = 10**6


def read(segments: list[bytes], most: int = LARGE) -> tuple[bytes, bytes | str | None]:
    """The data of a body that comes in `segments`; and what stands behind it, why it is broken, or None so far."""
    decoder, pieces = ChunkDecoder(), list[bytes]()
    behind, ended = b"", False
    for segment in segments:
        if ended:
            behind += segment
            continue
        decoder.feed(segment)
        while decoder.pending:
            try:
                decoder.decode(pieces, most)
            except ChunkError as error:
                return b"".join(pieces), str(error)
        ended = decoder.ended
        if ended:
            behind = decoder.rest()
    return b"".join(pieces), behind if ended else None


def cut(data: bytes, *places: int) -> list[bytes]:
    """`data` in segments that begin at `places`."""
    edges = [0, *places, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


BODIES = {
    "a chunk": (b"3\r\nabc\r\n0\r\n", b"abc", b""),
    "several, with digits of any case and leading zeros": (
        b"00a\r\n0123456789\r\nA\r\n0123456789\r\n1\r\n.\r\n000\r\n",
        b"0123456789" * 2 + b".",
        b"",
    ),
    "line ends in the data": (b"4\r\n\r\n\r\n\r\n2\r\n0\r\r\n0\r\n", b"\r\n\r\n0\r", b""),
    "extensions": (b'1;a\r\nx\r\n1 ; a="b;c\xe9"\r\ny\r\n0;last\r\n', b"xy", b""),
    "trailers and what follows": (b"1\r\nx\r\n0\r\nX: 1\r\n\r\nmore", b"x", b"X: 1\r\n\r\nmore"),
    "no data": (b"0\r\n\r\n", b"", b"\r\n"),
    "not all of it": (b"5\r\nab", b"ab", None),
    "a size that is not whole": (b"5\r\nabcde\r\n1", b"abcde", None),
    "a line end that is not whole": (b"1\r\nx\r", b"x", None),
}

BROKEN = {
    "no size": (b"\r\n", b""),
    "no digit": (b"g\r\n", b""),
    "a sign": (b"+1\r\nx\r\n0\r\n", b""),
    "a prefix": (b"0x1\r\nx\r\n0\r\n", b""),
    "a space before": (b" 1\r\nx\r\n0\r\n", b""),
    "a space behind": (b"1 \r\nx\r\n0\r\n", b""),
    "17 digits": (b"00000000000000001\r\nx\r\n0\r\n", b""),
    "a bare line feed": (b"1\nx\r\n0\r\n", b""),
    "a bare carriage return": (b"1\rx\r\n0\r\n", b""),
    "a control character in an extension": (b"1;\x00\r\nx\r\n0\r\n", b""),
    "a line feed in an extension": (b"1;a\nb\r\nx\r\n0\r\n", b""),
    "more data than its size": (b"1\r\nxy\r\n0\r\n", b"x"),
    "less data than its size": (b"3\r\nx\r\n0\r\n\r\n", b"x\r\n"),
    "a broken chunk behind a good one": (b"1\r\nx\r\n!\r\n", b"x"),
}


@pytest.mark.parametrize(("wire", "data", "behind"), BODIES.values(), ids=BODIES.keys())
def test_a_body_reads_the_same_however_it_is_cut(wire: bytes, data: bytes, behind: bytes | None) -> None:
    for place in range(len(wire)):
        assert read(cut(wire, place)) == (data, behind)
    assert read(cut(wire, *range(1, len(wire)))) == (data, behind)
    assert read([wire], most=1) == (data, behind)


@pytest.mark.parametrize(("wire", "good"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_body_is_refused_at_the_same_place_however_it_is_cut(wire: bytes, good: bytes) -> None:
    data, verdict = read([wire])
    assert (data, type(verdict)) == (good, str)
    for place in range(len(wire)):
        assert read(cut(wire, place)) == (data, verdict)
    assert read(cut(wire, *range(1, len(wire)))) == (data, verdict)


def _line(size: int) -> bytes:
    """A chunk of as much data as lets its line have `size` bytes."""
    return b"1000;" + b"e" * (size - 7) + b"\r\n" + b"." * 0x1000 + b"\r\n0\r\n"


@pytest.mark.parametrize("segment", [1, 7, 4095, 4096, 4097, LARGE])
def test_the_limit_of_a_line_holds_exactly_whatever_the_segments(segment: int) -> None:
    for size, expected in ((LONGEST_LINE, b""), (LONGEST_LINE + 1, "a chunk's extensions are too long")):
        wire = _line(size)
        assert read([wire[n : n + segment] for n in range(0, len(wire), segment)])[1] == expected


def test_an_endless_line_is_refused_as_soon_as_it_is_too_long() -> None:
    decoder = ChunkDecoder()
    for _ in range(LONGEST_LINE):
        decoder.feed(b"0" if not decoder._buffer else b";")
        decoder.decode([], LARGE)
    decoder.feed(b";")
    with pytest.raises(ChunkError):
        decoder.decode([], LARGE)


@pytest.mark.parametrize("segment", [1, 1000, LARGE])
def test_extensions_may_not_outweigh_the_body(segment: int) -> None:
    """Each line has 1016 bytes beyond its size, of which 16 and twice the one byte of data are free."""
    line = b"1;" + b"e" * 1012 + b"\r\n.\r\n"
    most = MOST_EXTENSIONS // 998
    for count, expected in ((most, b""), (most + 1, "too many chunk extensions for too little body")):
        wire = line * count + b"0\r\n"
        assert read([wire[n : n + segment] for n in range(0, len(wire), segment)]) == (b"." * most, expected)


def test_no_more_chunks_are_read_at_once_than_asked_for() -> None:
    decoder, pieces = ChunkDecoder(), list[bytes]()
    decoder.feed(b"1\r\nx\r\n" * 10 + b"0\r\n")
    for done in (4, 8, 10):
        assert decoder.pending
        decoder.decode(pieces, 4)
        assert len(pieces) == done
    assert (decoder.ended, decoder.pending) == (True, False)


def test_bytes_that_come_while_others_wait_are_read_behind_them() -> None:
    decoder, pieces = ChunkDecoder(), list[bytes]()
    decoder.feed(b"1\r\na\r\n1\r\nb\r\n1\r")
    decoder.decode(pieces, 1)
    decoder.feed(b"\nc\r\n0\r\nX: y\r\n")
    while decoder.pending:
        decoder.decode(pieces, 1)
    assert (b"".join(pieces), decoder.rest()) == (b"abc", b"X: y\r\n")


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    places=st.lists(st.integers(min_value=0, max_value=600), max_size=8),
    most=st.integers(min_value=1, max_value=4),
)
def test_whatever_was_coded_is_decoded(chunks: list[bytes], places: list[int], most: int) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert read(cut(wire, *sorted(min(place, len(wire)) for place in places)), most) == (b"".join(chunks), b"\r\n")
