"""The chunked coding: what is data, what is framing, and how much of that there may be."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.http1.framing import LONGEST_LINE, ChunkReader, request_rules
from statusproxy.proxy.http1.refusals import RefusedError


def read(*pieces: bytes, trailer_bytes: int = 400, trailer_fields: int = 8) -> tuple[bytes, bytes, bool]:
    """The data in these pieces, the bytes behind its end, and whether the end was found."""
    reader = ChunkReader(request_rules(trailer_bytes, trailer_fields))
    data: list[bytes] = []
    rest = b""
    for piece in pieces:
        rest += piece
        if not reader.done:
            rest = rest[reader.read(rest, 0, data, 10_000) :]
    return b"".join(data), rest, reader.done


VALID = [
    (b"0\r\n\r\n", b""),
    (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"3\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n", b"abc\r\n"),
    (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    (b"0A\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
    (b"0000000000000003\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"3;a\r\nabc\r\n0;b=c\r\n\r\n", b"abc"),
    (b'3;a="b;c\\"\r";d\r\nabc\r\n0\r\n\r\n'.replace(b"\r", b" ", 1), b"abc"),
    (b"3 ; a = b\t;\tc\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"3\r\nabc\r\n0\r\nT: x\r\nEmpty:\r\nObs: \xe9\r\n\r\n", b"abc"),
]

INVALID = [
    b"\r\n",
    b"g\r\n",
    b"3\n",
    b"3 \r\n",
    b" 3\r\n",
    b"+3\r\n",
    b"0x3\r\n",
    b"3_0\r\n",
    b"00000000000000003\r\n",
    b"3;\r\n",
    b"3;;a\r\n",
    b"3;a=\r\n",
    b"3;a b\r\n",
    b'3;a="b\r\n',
    b"3;a\x00b\r\n",
    b"3;a\rb\r\n",
    b"3;a\n",
    b"3;a \r\n",
    b"3\r\nabcd\r\n",
    b"3\r\nabc\n",
    b"3\r\nabc\r\r\n",
    b"3\r\nabc0\r\n",
    b"0\r\n\n",
    b"0\r\nT\r\n",
    b"0\r\nT : x\r\n",
    b"0\r\n T: x\r\n",
    b"0\r\nT: x\n",
    b"0\r\nT: x\x00\r\n",
    b"0\r\nT: x\ry\r\n",
]


@pytest.mark.parametrize(("wire", "data"), VALID)
def test_data_is_found_and_what_follows_the_body_is_left(wire: bytes, data: bytes) -> None:
    assert read(wire + b"GET") == (data, b"GET", True)
    for cut in range(len(wire)):
        assert read(wire[:cut], wire[cut:] + b"GET") == (data, b"GET", True)
    assert read(*[wire[i : i + 1] for i in range(len(wire))], b"GET") == (data, b"GET", True)


@pytest.mark.parametrize("wire", INVALID)
def test_framing_that_could_be_read_in_two_ways_is_an_error(wire: bytes) -> None:
    with pytest.raises(RefusedError):
        read(wire)
    for cut in range(len(wire)):
        with pytest.raises(RefusedError):
            read(wire[:cut], wire[cut:])


@pytest.mark.parametrize("begun", [b"3;" + b"x" * LONGEST_LINE, b"0\r\nT: " + b"x" * 400, b"0\r\n" + b"T: x\r\n" * 9])
def test_framing_without_end_is_refused_before_it_ends(begun: bytes) -> None:
    with pytest.raises(RefusedError):
        read(begun)
    with pytest.raises(RefusedError):
        read(*[begun[i : i + 1] for i in range(len(begun))])


def test_no_more_chunks_are_read_than_asked_for() -> None:
    reader = ChunkReader(request_rules(400, 8))
    wire = b"1\r\nx\r\n" * 5 + b"0\r\n\r\n"
    data: list[bytes] = []
    at = reader.read(wire, 0, data, 2)
    assert (b"".join(data), reader.chunks, reader.hungry, reader.done) == (b"xx", 2, False, False)
    at = reader.read(wire, at, data, 100)
    assert (b"".join(data), reader.done, at) == (b"xxxxx", True, len(wire))


def test_a_reader_that_needs_more_bytes_says_so() -> None:
    for begun in (b"", b"3", b"3\r", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r", b"0\r\n", b"0\r\nT", b"0\r\n\r"):
        reader = ChunkReader(request_rules(400, 8))
        reader.read(begun, 0, [], 100)
        assert reader.hungry, begun


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    st.lists(st.sampled_from([b"", b";a", b' ; a = "b"']), min_size=8, max_size=8),
    st.sets(st.integers(0, 300), max_size=6),
)
def test_whatever_is_written_in_chunks_is_read_again(parts: list[bytes], ext: list[bytes], at: set[int]) -> None:
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(part), e, part) for part, e in zip(parts, ext, strict=False))
    wire += b"0\r\n\r\n"
    edges = [0, *sorted(cut for cut in at if cut < len(wire)), len(wire)]
    pieces = [wire[a:b] for a, b in itertools.pairwise(edges)]
    assert read(*pieces, b"next") == (b"".join(parts), b"next", True)


@pytest.mark.parametrize("unit", [b"1\r\nx\r\n", b"1;a\r\nx\r\n", b'1 ; a = "\\b"\r\nx\r\n'])
def test_the_time_grows_with_the_length_and_no_faster(unit: bytes) -> None:
    def seconds(count: int) -> float:
        wire = unit * count
        best = float("inf")
        for _ in range(5):
            begun = time.perf_counter()
            ChunkReader(request_rules(400, 8)).read(wire, 0, [], count)
            best = min(best, time.perf_counter() - begun)
        return best

    assert seconds(16_000) < 40 * max(seconds(1_000), 2e-5)
