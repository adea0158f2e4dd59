"""The framing of bodies: lengths, and the chunked coding by the rules of either side, however the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.framing import (
    ANSWER_RULES,
    LAST_CHUNK,
    LONGEST_LINE,
    MOST_EXTENSIONS,
    ChunkReader,
    ChunkRules,
    answer_coding,
    answer_has_body,
    chunk,
    framed,
    last_chunk,
    request_coding,
    request_has_body,
    request_length,
    request_rules,
)
from statusproxy.proxy.http1.refusals import Refusal, RefusedError
from tests.processor_time import takes_less

LARGE = 10**6

REQUEST_RULES = request_rules(400, 8)

BOTH = pytest.mark.parametrize("rules", [REQUEST_RULES, ANSWER_RULES], ids=["request", "answer"])


def read(segments: list[bytes], rules: ChunkRules, most: int = LARGE) -> tuple[bytes, bytes | Refusal | None]:
    """The data of a body that comes in `segments`; and what stands behind it, why it is broken, or None so far."""
    reader, pieces, rest = ChunkReader(rules), list[bytes](), b""
    for segment in segments:
        rest += segment
        while not reader.done:
            try:
                rest = rest[reader.read(rest, 0, pieces, most) :]
            except RefusedError as refused:
                return b"".join(pieces), refused.refusal
            if reader.hungry:
                break
    return b"".join(pieces), rest if reader.done else None


def cut(data: bytes, *places: int) -> list[bytes]:
    """`data` in segments that begin at `places`."""
    edges = [0, *places, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def at_every_cut(wire: bytes, rules: ChunkRules) -> tuple[bytes, bytes | Refusal | None]:
    """What `read` says of `wire`, having made sure that it says the same wherever the bytes are cut."""
    whole = read([wire], rules)
    for place in range(len(wire)):
        assert read(cut(wire, place), rules) == whole, place
    assert read(cut(wire, *range(1, len(wire))), rules) == whole
    assert read([wire], rules, most=1) == whole
    return whole


# ---- lengths and codings ----


@pytest.mark.parametrize(("value", "length"), [(b"0", 0), (b"007", 7), (b"9" * 18, 10**18 - 1)])
def test_a_length_of_up_to_18_digits_is_a_length(value: bytes, length: int) -> None:
    assert request_length(value) == length


def test_a_length_that_the_next_parser_might_not_hold_is_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        request_length(b"0" * 19)
    assert refused.value.refusal == refusals.LENGTH_TOO_LARGE


def test_chunked_in_any_case_is_the_one_coding_of_a_request() -> None:
    request_coding(b"Chunked", (1, 1))
    for value, version in ((b"gzip", (1, 1)), (b"chunked, chunked", (1, 1)), (b"", (1, 1)), (b"chunked", (1, 0))):
        with pytest.raises(RefusedError) as refused:
            request_coding(value, version)
        assert refused.value.refusal == refusals.REQUEST_CODING


def test_chunked_once_is_the_one_coding_of_an_answer() -> None:
    answer_coding(b"Chunked", again=False)
    for value, again in ((b"gzip", False), (b"gzip, chunked", False), (b"chunked", True)):
        with pytest.raises(RefusedError) as refused:
            answer_coding(value, again=again)
        assert refused.value.refusal == refusals.ANSWER_CODING


@pytest.mark.parametrize(
    ("method", "chunked", "length", "expected"),
    [
        ("GET", False, None, False),
        ("GET", False, 0, False),
        ("GET", False, 1, True),
        ("POST", True, None, True),
        ("POST", False, None, False),
        ("CONNECT", False, 1, False),
        ("CONNECT", True, None, False),
    ],
)
def test_a_request_has_the_body_that_it_announces(
    method: str, chunked: bool, length: int | None, expected: bool
) -> None:
    assert request_has_body(method, chunked=chunked, length=length) is expected


@pytest.mark.parametrize(
    ("status", "length", "head_only", "expected"),
    [
        (200, None, False, True),
        (200, 1, False, True),
        (200, 0, False, False),
        (200, 1, True, False),
        (204, 1, False, False),
        (304, 1, False, False),
        (404, None, False, True),
    ],
)
def test_an_answer_has_a_body_unless_its_status_or_its_request_says_otherwise(
    status: int, length: int | None, head_only: bool, expected: bool
) -> None:
    assert answer_has_body(status, length, head_only=head_only) is expected


# ---- writing ----


def test_chunks_are_written_with_their_size_in_hexadecimal() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert LAST_CHUNK == last_chunk([]) == b"0\r\n\r\n"
    assert last_chunk([(b"X-Sum", b"1"), (b"y", b"")]) == b"0\r\nX-Sum: 1\r\ny: \r\n\r\n"


@pytest.mark.parametrize(
    ("data", "last", "plain", "chunked"),
    [
        (b"abc", False, b"abc", b"3\r\nabc\r\n"),
        (b"abc", True, b"abc", b"3\r\nabc\r\n0\r\n\r\n"),
        (b"", False, b"", b""),
        (b"", True, b"", b"0\r\n\r\n"),
    ],
)
def test_a_piece_is_framed_as_its_head_says(data: bytes, last: bool, plain: bytes, chunked: bytes) -> None:
    assert framed(data, chunked=False, last=last) == plain
    assert framed(data, chunked=True, last=last) == chunked


@BOTH
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    extensions=st.lists(st.sampled_from([b"", b";a", b' ; a = "b"']), min_size=12, max_size=12),
    places=st.lists(st.integers(min_value=0, max_value=600), max_size=8),
    most=st.integers(min_value=1, max_value=4),
)
def test_whatever_was_written_in_chunks_is_read_again(
    rules: ChunkRules, chunks: list[bytes], extensions: list[bytes], places: list[int], most: int
) -> None:
    written = [chunk(data).replace(b"\r\n", ext + b"\r\n", 1) for data, ext in zip(chunks, extensions, strict=False)]
    wire = b"".join(written) + LAST_CHUNK
    segments = cut(wire, *sorted(min(place, len(wire)) for place in places))
    behind = b"" if rules.trailers else b"\r\n"
    assert read(segments, rules, most) == (b"".join(chunks), behind)


# ---- reading, by the rules of either side ----

GOOD = {
    "a chunk": (b"3\r\nabc\r\n0\r\n", b"abc"),
    "several, with digits of any case and leading zeros": (
        b"00a\r\n0123456789\r\nA\r\n0123456789\r\n1\r\n.\r\n000\r\n",
        b"0123456789" * 2 + b".",
    ),
    "16 digits": (b"0000000000000003\r\nabc\r\n0\r\n", b"abc"),
    "line ends in the data": (b"4\r\n\r\n\r\n\r\n2\r\n0\r\r\n0\r\n", b"\r\n\r\n0\r"),
    "extensions": (b"3;a\r\nabc\r\n2 ; a=b\t;\tc\r\nde\r\n0;last\r\n", b"abcde"),
    "a quoted extension": (b'1;a="b;c\\"\xe9 ";d\r\nx\r\n0\r\n', b"x"),
    "no data": (b"0\r\n", b""),
}

UNFINISHED = {
    "nothing": (b"", b""),
    "not all of the data": (b"5\r\nab", b"ab"),
    "a size that is not whole": (b"5\r\nabcde\r\n1", b"abcde"),
    "a line end that is not whole": (b"1\r\nx\r", b"x"),
    "an extension that is not whole": (b"1;a", b""),
}

BROKEN = {
    "no size": (b"\r\n", b"", refusals.CHUNK_LINE),
    "no size and a bare line feed": (b"\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "no digit": (b"g\r\n", b"", refusals.CHUNK_LINE),
    "a sign": (b"+1\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a prefix": (b"0x1\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "an underscore": (b"1_0\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a space before": (b" 1\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a space behind": (b"1 \r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "17 digits": (b"00000000000000001\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a bare line feed": (b"1\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a bare carriage return": (b"1\rx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a control character in an extension": (b"1;a\x00b\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a line feed in an extension": (b"1;a\nb\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "a carriage return in an extension": (b"1;a\rb\r\nx\r\n0\r\n", b"", refusals.CHUNK_LINE),
    "more data than its size": (b"1\r\nxy\r\n0\r\n", b"x", refusals.CHUNK_END),
    "a line feed behind the data": (b"1\r\nx\n0\r\n", b"x", refusals.CHUNK_END),
    "two carriage returns behind the data": (b"1\r\nx\r\r\n0\r\n", b"x", refusals.CHUNK_END),
    "no line end behind the data": (b"3\r\nabc0\r\n", b"abc", refusals.CHUNK_END),
    "less data than its size": (b"3\r\nx\r\n0\r\n\r\n", b"x\r\n", refusals.CHUNK_END),
    "a broken chunk behind a good one": (b"1\r\nx\r\n!\r\n", b"x", refusals.CHUNK_LINE),
}


@BOTH
@pytest.mark.parametrize(("wire", "data"), GOOD.values(), ids=GOOD.keys())
def test_a_body_reads_the_same_however_it_is_cut(rules: ChunkRules, wire: bytes, data: bytes) -> None:
    behind = b"GET" if rules.trailers else b"\r\nGET"
    assert at_every_cut(wire + b"\r\nGET", rules) == (data, behind)


@BOTH
@pytest.mark.parametrize(("wire", "data"), UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_body_that_is_not_whole_is_neither_done_nor_broken(rules: ChunkRules, wire: bytes, data: bytes) -> None:
    assert at_every_cut(wire, rules) == (data, None)


@BOTH
@pytest.mark.parametrize(("wire", "data", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_body_is_refused_at_the_same_place_however_it_is_cut(
    rules: ChunkRules, wire: bytes, data: bytes, why: Refusal
) -> None:
    assert at_every_cut(wire, rules) == (data, why)


@BOTH
@pytest.mark.parametrize("segment", [1, 7, 4095, 4096, 4097, LARGE])
def test_the_limit_of_a_line_holds_exactly_whatever_the_segments(rules: ChunkRules, segment: int) -> None:
    for size, refused in ((LONGEST_LINE, False), (LONGEST_LINE + 1, True)):
        wire = b"1000;" + b"e" * (size - 7) + b"\r\n" + b"." * 0x1000 + b"\r\n0\r\n\r\n"
        verdict = read([wire[n : n + segment] for n in range(0, len(wire), segment)], rules)[1]
        assert (verdict == refusals.CHUNK_LINE_TOO_LONG) is refused


@BOTH
def test_an_endless_line_is_refused_as_soon_as_it_is_too_long(rules: ChunkRules) -> None:
    begun = b"1;" + b"e" * (LONGEST_LINE - 2)
    assert read([begun], rules) == (b"", None)
    assert read([begun + b"e"], rules) == (b"", refusals.CHUNK_LINE_TOO_LONG)


@BOTH
def test_no_more_chunks_are_read_than_asked_for(rules: ChunkRules) -> None:
    reader, wire, data = ChunkReader(rules), b"1\r\nx\r\n" * 5 + b"0\r\n\r\n", list[bytes]()
    at = reader.read(wire, 0, data, 2)
    assert (b"".join(data), reader.chunks, reader.hungry, reader.done) == (b"xx", 2, False, False)
    assert reader.read(wire, at, data, 0) == at
    at = reader.read(wire, at, data, 100)
    assert (b"".join(data), reader.chunks, reader.hungry, reader.done) == (b"xxxxx", 6, False, True)
    assert wire[at:] == (b"" if rules.trailers else b"\r\n")
    reader = ChunkReader(rules)
    reader.read(wire, 0, data, 100)
    assert (reader.hungry, reader.done) == (False, True)


@BOTH
def test_a_reader_that_needs_more_bytes_says_so(rules: ChunkRules) -> None:
    for begun in (b"", b"3", b"3\r", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r"):
        reader = ChunkReader(rules)
        assert reader.hungry
        reader.read(begun, 0, [], 100)
        assert reader.hungry, begun


def test_a_reader_that_has_read_all_it_may_and_all_there_is_needs_more_bytes() -> None:
    reader = ChunkReader(ANSWER_RULES)
    reader.read(b"1\r\nx\r\n", 0, [], 1)
    assert reader.hungry


# ---- in what the sides differ ----

STRICT_ONLY = [b"3;", b"3;;a", b"3;a=", b"3;a b", b'3;a="b', b"3;a ", b"3;(a)"]


@pytest.mark.parametrize("line", STRICT_ONLY)
def test_extensions_of_a_request_follow_the_grammar_and_those_of_an_answer_any_text(line: bytes) -> None:
    wire = line + b"\r\nabc\r\n0\r\n\r\n"
    assert at_every_cut(wire, REQUEST_RULES) == (b"", refusals.CHUNK_LINE)
    assert at_every_cut(wire, ANSWER_RULES) == (b"abc", b"\r\n")


@pytest.mark.parametrize("begun", [b"g", b"1\n", b"1\rx", b"1;\x00", b"00000000000000001", b"1 x"])
def test_an_answer_s_line_is_refused_before_it_is_whole(begun: bytes) -> None:
    assert read([begun], ANSWER_RULES) == (b"", refusals.CHUNK_LINE)


@pytest.mark.parametrize("segment", [1, 1000, LARGE])
def test_extensions_may_not_outweigh_an_answer_s_body(segment: int) -> None:
    """Each line has 1042 bytes, of which 16 and twice the one byte of data are free."""
    assert MOST_EXTENSIONS == 16 * 1024
    line, longer = (b"1;" + b"e" * count + b"\r\n.\r\n" for count in (1038, 1039))
    for wire, data, expected in (
        (line * 16, 16, b""),
        (line * 17, 16, refusals.TOO_MANY_EXTENSIONS),
        (line * 15 + longer, 15, refusals.TOO_MANY_EXTENSIONS),
    ):
        body = wire + b"0\r\n"
        assert read([body[n : n + segment] for n in range(0, len(body), segment)], ANSWER_RULES) == (
            b"." * data,
            expected,
        )
        assert read([body + b"\r\n"], REQUEST_RULES) == (b"." * wire.count(b"."), b"")


def test_any_number_of_chunks_may_have_extensions_that_the_data_outweighs() -> None:
    count = MOST_EXTENSIONS + 1
    assert read([b"1;a\r\n.\r\n" * count + b"0\r\n"], ANSWER_RULES) == (b"." * count, b"")


def test_trailers_of_a_request_are_dropped_and_those_of_an_answer_left() -> None:
    wire = b"1\r\nx\r\n0\r\nT: x\r\nEmpty:\r\nObs: \xe9\r\n\r\nGET"
    assert at_every_cut(wire, REQUEST_RULES) == (b"x", b"GET")
    assert at_every_cut(wire, ANSWER_RULES) == (b"x", b"T: x\r\nEmpty:\r\nObs: \xe9\r\n\r\nGET")


@pytest.mark.parametrize(
    "trailers", [b"\n", b"T\r\n", b"T : x\r\n", b" T: x\r\n", b"T: x\n", b"T: x\x00\r\n", b"T: x\ry\r\n"]
)
def test_a_request_s_trailers_that_could_be_read_in_two_ways_are_refused(trailers: bytes) -> None:
    assert at_every_cut(b"0\r\n" + trailers, REQUEST_RULES) == (b"", refusals.TRAILER)


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (b"T: " + b"x" * 395 + b"\r\n", b"T: " + b"x" * 396 + b"\r\n"),
        (b"T: x\r\n" * 8, b"T: x\r\n" * 9),
    ],
    ids=["bytes", "fields"],
)
def test_a_request_s_trailers_are_bounded_exactly(within: bytes, beyond: bytes) -> None:
    assert at_every_cut(b"0\r\n" + within + b"\r\n", REQUEST_RULES) == (b"", b"")
    assert at_every_cut(b"0\r\n" + beyond + b"\r\n", REQUEST_RULES) == (b"", refusals.TRAILERS_TOO_LARGE)


def test_endless_trailers_are_refused_before_they_end() -> None:
    assert read([b"0\r\nT: " + b"x" * 397], REQUEST_RULES) == (b"", None)
    for beyond in (b"T: " + b"x" * 398, b"T: " + b"x" * 397 + b"\r", b"T: " + b"x" * 395 + b"\r\nT"):
        assert read([b"0\r\n" + beyond], REQUEST_RULES) == (b"", refusals.TRAILERS_TOO_LARGE)


def test_trailers_that_come_late_end_the_wait_for_bytes() -> None:
    reader, states = ChunkReader(REQUEST_RULES), list[tuple[int, bool, bool]]()
    for data in (b"0\r\n", b"T: x\r\n\r", b"\r\n"):
        states.append((reader.read(data, 0, [], 1), reader.hungry, reader.done))
    assert states == [(3, True, False), (6, True, False), (2, False, True)]


@BOTH
@pytest.mark.parametrize("unit", [b"1\r\nx\r\n", b"1;a\r\nx\r\n", b'1 ; a = "\\b"\r\nx\r\n'])
def test_the_time_grows_with_the_length_and_no_faster(rules: ChunkRules, unit: bytes) -> None:
    few, many = unit * 1_000, unit * 16_000
    assert takes_less(
        lambda: ChunkReader(rules).read(many, 0, [], 16_000), 40, lambda: ChunkReader(rules).read(few, 0, [], 1_000)
    )
