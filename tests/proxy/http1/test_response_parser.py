"""A gateway's answer off the wire: the same verdict at every cut, exact limits for every part, bounded work."""

import contextlib
import gc
import itertools
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.http1 import response_parser
from statusproxy.proxy.http1.answer_head import KNOWN, ResponseHead
from statusproxy.proxy.http1.refusals import RefusedError
from statusproxy.proxy.http1.response_parser import (
    CHUNKS_AT_ONCE,
    MOST_INTERIM,
    MOST_LINES,
    ResponseParser,
    head_end,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMIT = 200


def read(wire: bytes, cuts: Iterable[int] = (), *, limit: int = LIMIT, head_only: bool = False) -> tuple[Any, ...]:
    """All that an answer gives that comes in segments which begin at `cuts`; an error in place of what failed."""
    answer = ResponseParser(limit=limit, head_only=head_only)
    error = ""
    edges = [0, *cuts, len(wire)]
    try:
        for a, b in itertools.pairwise(edges):
            if a < b:
                answer.feed(wire[a:b])
            while answer.pending:
                answer.go_on()
            if answer.complete and answer.behind:
                break  # the connection is closed, and nothing further is fed
    except RefusedError as bad:
        error = str(bad)
    head = answer.head and (answer.head.status, answer.head.reason, answer.head.headers, answer.head.keep_alive)
    ends = (answer.complete, answer.until_close, answer.behind)
    interim = [head.status for head in answer.interim]
    return error, head, b"".join(answer.body), answer.trailers, interim, ends


def segments(wire: bytes) -> list[list[int]]:
    """Every cut in two, and byte by byte."""
    return [*([n] for n in range(1, len(wire))), list(range(1, len(wire)))]


ANSWERS = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "a length of nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "chunks": (CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"ok"),
    "a chunk with an extension": (CHUNKED + b"2;a\r\nok\r\n0\r\n\r\n", b"ok"),
    "two chunks": (CHUNKED + b"2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n", b"okay!"),
    "chunks with extensions and trailers": (CHUNKED + b"2;a=b\r\nok\r\n0\r\nX: 1\r\nY:  2 \r\n\r\n", b"ok"),
    "up to the end of the connection": (b"HTTP/1.1 200 OK\r\n\r\nok\r\n\r\n", b"ok\r\n\r\n"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "no body by its status": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\nETag: a?\r\n\r\n", b""),
    "a switch": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01", b"\x00\x01"),
    "interim answers": (
        b"HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "an interim answer with a length": (
        b"HTTP/1.1 103 E\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "a permission": (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "empty lines before it": (b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
}

#: Status, reason, fields and whether the connection may be kept, where they are not those of most of them.
LENGTH_2 = (b"Content-Length", b"2")
IN_CHUNKS = (200, b"OK", [(b"Transfer-Encoding", b"chunked")], True)
HEADS = {
    "a length of nothing": (200, b"OK", [(b"Content-Length", b"0")], True),
    "chunks": IN_CHUNKS,
    "a chunk with an extension": IN_CHUNKS,
    "two chunks": IN_CHUNKS,
    "chunks with extensions and trailers": IN_CHUNKS,
    "up to the end of the connection": (200, b"OK", [], False),
    "HTTP/1.0": (200, b"OK", [LENGTH_2], False),
    "no body by its status": (204, b"No Content", [LENGTH_2], True),
    "not modified": (304, b"Not Modified", [LENGTH_2, (b"ETag", b"a?")], True),
    "a switch": (101, b"Switching Protocols", [(b"Upgrade", b"x"), (b"Connection", b"upgrade")], False),
}
TRAILERS = {"chunks with extensions and trailers": [(b"X", b"1"), (b"Y", b"2")]}
INTERIM = {"a permission": [100], "interim answers": [103, 102], "an interim answer with a length": [103]}
#: Whether they are complete, end with the connection, and have bytes behind them.
ENDS = {"up to the end of the connection": (False, True, False), "a switch": (False, False, False)}

BAD_ANSWERS = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "a length beyond all measure": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 2\r\n\r\nok",
    "a control character in the reason": b"HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok",
    "a broken chunk": CHUNKED + b"2\r\nok\r\nz\r\n",
    "a bare carriage return behind a chunk's size": CHUNKED + b"2\rok\r\n0\r\n\r\n",
    "a head within a head": b"HTTP/1.1 200 OK\r\nX: 1\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a control character in a trailer": CHUNKED + b"2\r\nok\r\n0\r\nX: \x00\r\n\r\n",
    "a bare line feed in the trailers": CHUNKED + b"2\r\nok\r\n0\r\nX: a\nY: b\r\n\r\n",
    "a folded trailer": CHUNKED + b"2\r\nok\r\n0\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_the_same_however_it_is_cut(name: str) -> None:
    wire, body = ANSWERS[name]
    whole = read(wire)
    assert whole == (
        "",
        HEADS.get(name, (200, b"OK", [LENGTH_2], True)),
        body,
        TRAILERS.get(name, []),
        INTERIM.get(name, []),
        ENDS.get(name, (True, False, False)),
    )
    for cuts in segments(wire):
        assert read(wire, cuts) == whole


@pytest.mark.parametrize("wire", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_bad_answer_is_refused_the_same_however_it_is_cut(wire: bytes) -> None:
    whole = read(wire)
    assert whole[0]
    for cuts in segments(wire):
        assert read(wire, cuts) == whole


def test_the_answer_to_head_has_no_body_whatever_it_says() -> None:
    for fields in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""):
        wire = b"HTTP/1.1 200 OK\r\n%b\r\n" % fields
        for cuts in segments(wire):
            error, head, body, _, _, ends = read(wire, cuts, head_only=True)
            assert (error, body, ends) == ("", b"", (True, False, False))
            assert head is not None
            assert head[3], "the connection may be kept"


@pytest.mark.parametrize(
    ("version", "fields", "kept"),
    [
        (1, b"", True),
        (1, b"Connection: x, Close\r\n", False),
        (0, b"", False),
        (0, b"Connection: keep-alive\r\n", False),
    ],
)
def test_the_connection_of_an_answer_to_head_is_kept_as_version_and_options_say(
    version: int, fields: bytes, kept: bool
) -> None:
    answer = ResponseParser(limit=LIMIT, head_only=True)
    answer.feed(b"HTTP/1.%d 200 OK\r\nContent-Length: 5\r\n%b\r\n" % (version, fields))
    assert answer.head is not None
    assert (answer.head.version, answer.head.keep_alive) == ((1, version), kept)


@pytest.mark.parametrize("name", ["a length", "chunks", "chunks with extensions and trailers", "not modified"])
def test_bytes_behind_an_answer_are_noticed_and_are_none_of_it(name: str) -> None:
    wire, body = ANSWERS[name]
    for extra in (b"x", b"HTTP/1.1 200 OK\r\n\r\n"):
        for cuts in segments(wire + extra):
            error, _, got, _, _, ends = read(wire + extra, cuts)
            assert (error, got, ends) == ("", body, (True, False, True))


# ---- limits ----


def padded(start: bytes, size: int, end: bytes = b"\r\n") -> bytes:
    """A head of exactly `size` bytes: `start`, a field that fills it up, `end` and the empty line."""
    return start + b"X: " + b"." * (size - len(start) - len(end) - 5) + b"\r\n" + end


BOUNDED = {
    "a head": (lambda size: padded(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", size) + b"ok", "head too large"),
    "interim answers and the head together": (
        lambda size: padded(b"HTTP/1.1 102 P\r\n\r\n" * 3 + b"HTTP/1.1 204 OK\r\n", size),
        "head too large",
    ),
    "interim answers alone": (lambda size: padded(b"HTTP/1.1 103 E\r\n", size), "head too large"),
    "a reason": (lambda size: b"HTTP/1.1 204 " + b"r" * (size - 17) + b"\r\n\r\n", "head too large"),
    "white space around a value": (
        lambda size: b"HTTP/1.1 204 N\r\nX:" + b" " * (size - 23) + b".\r\n\r\n",
        "head too large",
    ),
    "trailers": (lambda size: CHUNKED + b"0\r\n" + padded(b"", size), "trailers too large"),
    "many trailers": (
        lambda size: CHUNKED + b"1\r\nx\r\n0\r\n" + b"a:\r\n" * 25 + padded(b"", size - 100),
        "trailers too large",
    ),
}


@pytest.mark.parametrize(("make", "error"), BOUNDED.values(), ids=BOUNDED.keys())
def test_each_part_is_bounded_exactly_however_it_is_cut(make: Any, error: str) -> None:
    for size, expected in ((LIMIT - 1, ""), (LIMIT, ""), (LIMIT + 1, error), (3 * LIMIT, error)):
        wire = make(size)
        whole = read(wire)
        assert whole[0] == expected, size
        for cuts in segments(wire):
            assert read(wire, cuts) == whole


def test_trailers_have_a_limit_of_their_own_beside_the_head() -> None:
    head = padded(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", LIMIT)
    assert read(head + b"0\r\n" + padded(b"", LIMIT))[0] == ""


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        ("head", [b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1000]),
        ("fields", [b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 100]),
        ("reason", [b"HTTP/1.1 200 ", b"a" * 1000]),
        ("interim", [b"", b"HTTP/1.1 102 P\r\n\r\n"]),
        ("trailer", [CHUNKED + b"0\r\nX: ", b"a" * 1000]),
        ("trailers", [CHUNKED + b"0\r\n", b"a: b\r\n" * 100]),
        ("extension", [CHUNKED + b"1;", b"a" * 1000]),
        ("extensions", [CHUNKED, b"1;" + b"a" * 1000 + b"\r\nx\r\n"]),
    ],
)
def test_what_never_ends_is_refused_before_it_costs_memory(part: str, wire: list[bytes]) -> None:
    """Endless trailers once took gigabytes."""
    limit = 64 * 1024
    answer = ResponseParser(limit=limit, head_only=False)
    start, again = wire
    tracemalloc.start()
    try:
        sent = len(start)
        with pytest.raises(RefusedError):  # noqa: PT012 - fed until it is refused
            answer.feed(start)
            while sent < 2 * 1024 * 1024:
                answer.feed(again)
                sent += len(again)
        assert sent <= limit + 4096, part
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("segment", [1, 7, 10**6])
@pytest.mark.parametrize("part", ["head", "interim", "trailers"])
def test_the_number_of_lines_is_bounded_exactly(part: str, segment: int) -> None:
    for lines, error in ((MOST_LINES, ""), (MOST_LINES + 1, "more than 1000 lines in the "), (3 * MOST_LINES, "more")):
        if part == "head":
            wire = b"HTTP/1.1 204 N\r\n" + b"a:\r\n" * (lines - 2) + b"\r\n"
        elif part == "interim":
            wire = b"HTTP/1.1 103 E\r\n" + b"a:\r\n" * (lines - 4) + b"\r\nHTTP/1.1 204 N\r\n\r\n"
        else:
            wire = CHUNKED + b"0\r\n" + b"a:\r\n" * (lines - 1) + b"\r\n"
        got = read(wire, range(segment, len(wire), segment), limit=10**6)[0]
        assert got.startswith(error) if error else not got


@pytest.mark.slow
def test_what_is_wrong_within_the_limits_is_told_before_them_however_it_is_cut() -> None:
    for wire, expected in (
        (b"HTTP/1.1 204 N\r\nX: \x00\r\nY: " + b"." * 500, "Invalid header value char"),
        (b"HTTP/1.1 204 N\r\nX: \x00\r\n" + b"a:\r\n" * 2000, "Invalid header value char"),
        (b"HTTP/1.1 204 N\r\n" + b"a:\r\n" * 999 + b"b:\x00\r\n" + b"a:\r\n" * 9, "Invalid header value char"),
        (
            b"HTTP/1.1 204 N\r\n" + b"a:\r\n" * 1000 + b"b:\x00\r\n" + b"a:\r\n" * 9,
            "more than 1000 lines in the head",
        ),
        (b"HTTP/1.1 204 N\r\n" + b"a:\r\n" * 999 + b"b: x\n" + b"a:\r\n" * 9, "more than 1000 lines in the head"),
        (b"HTTP/1.1 204 N\r\n" + b"a:\r\n" * 999 + b"b: x\x00\n" + b"a:\r\n" * 9, "Invalid header value char"),
        (b"HTTP/1.1 204 N\r\n" + b"a:\r\n" * 999 + b"Z" * 10**6, "head too large"),
    ):
        for segment in (13, 4012, 10**7) if len(wire) > 10**6 else (1, 13, 10**7):
            limit = LIMIT if b"Y" in wire else 10**6
            assert read(wire, range(segment, len(wire), segment), limit=limit)[0] == expected


@pytest.mark.parametrize("segment", [1, 10**6])
def test_the_number_of_interim_answers_is_bounded_exactly(segment: int) -> None:
    for count, expected in ((MOST_INTERIM, ""), (MOST_INTERIM + 1, f"more than {MOST_INTERIM} interim answers")):
        wire = b"HTTP/1.1 102 P\r\n\r\n" * count + b"HTTP/1.1 204 N\r\n\r\n"
        error, _, _, _, interim, _ = read(wire, range(segment, len(wire), segment), limit=10**6)
        assert (error, len(interim)) == (expected, MOST_INTERIM)


def test_only_so_many_chunks_are_read_in_one_go() -> None:
    answer = ResponseParser(limit=LIMIT, head_only=False)
    answer.feed(CHUNKED + b"1\r\nx\r\n" * (2 * CHUNKS_AT_ONCE) + b"0\r\n\r\n")
    assert (len(b"".join(answer.body)), answer.pending) == (CHUNKS_AT_ONCE, True)
    answer.go_on()
    assert (len(b"".join(answer.body)), answer.pending, answer.complete) == (2 * CHUNKS_AT_ONCE, True, False)
    answer.go_on()
    assert (answer.pending, answer.complete) == (False, True)


def test_what_comes_while_chunks_wait_is_read_behind_them() -> None:
    answer = ResponseParser(limit=LIMIT, head_only=False)
    answer.feed(CHUNKED + b"1\r\nx\r\n" * (CHUNKS_AT_ONCE + 1) + b"2\r\n")
    answer.feed(b"yz\r\n0\r\n\r\n")
    assert (answer.body.take_all(), answer.complete) == (b"x" * (CHUNKS_AT_ONCE + 1) + b"yz", True)


def test_what_the_gateway_promises_of_its_connection_is_known() -> None:
    answer = ResponseParser(limit=LIMIT, head_only=False)
    answer.feed(
        b"HTTP/1.1 204 N\r\nkeep-alive: timeout=5\r\nX-Fourteen-Byt: 1\r\nX-Seventeen-Bytes: 1\r\nAuthorized: 1\r\n\r\n"
    )
    assert answer.keep_alive_field == b"timeout=5"


@pytest.mark.parametrize("cut", [False, True])
def test_a_head_that_comes_again_is_read_once(cut: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Once: %d\r\nKeep-Alive: timeout=7\r\nContent-Length: 2\r\n\r\n" % cut
    seen = []
    for body in (b"ab", b"cd", b"ef"):
        answer = ResponseParser(limit=LIMIT, head_only=False)
        for piece in (head, body) if cut else (head + body,):
            answer.feed(piece)
        seen.append(answer.head)
        assert (answer.body.take_all(), answer.complete, answer.behind) == (body, True, False)
        assert answer.keep_alive_field == b"timeout=7"
    assert seen[0] is seen[1] is seen[2]


def test_a_known_head_exceeds_the_limit_as_any_other() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Known: 1\r\nContent-Length: 0\r\n\r\n"
    for limit, error in ((len(head), ""), (len(head) - 1, "head too large"), (len(head), "")):
        assert read(head, limit=limit)[0] == error


def test_a_known_head_behind_an_interim_answer_is_no_first_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Known: 2\r\nContent-Length: 2\r\n\r\n"
    for _ in range(2):
        assert read(head + b"ok") == read(head + b"ok", [3])
        error, _, body, _, interim, _ = read(b"HTTP/1.1 102 P\r\n\r\n" + head + b"ok")
        assert (error, body, interim) == ("", b"ok", [102])


def test_the_answer_to_head_has_no_body_also_where_its_head_is_known() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Known: 3\r\nContent-Length: 2\r\n\r\n"
    assert read(head + b"ok")[-1] == (True, False, False)
    assert read(head, head_only=True)[-1] == (True, False, False)
    assert read(head)[-1] == (False, False, False)


def test_the_connection_of_an_answer_to_head_is_kept_also_where_its_head_is_known_from_a_get() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Known: 4\r\n\r\n"
    for _ in range(2):
        assert read(head)[1] == (200, b"OK", [(b"X-Known", b"4")], False)
        assert read(head, head_only=True)[1] == (200, b"OK", [(b"X-Known", b"4")], True)


def test_a_known_head_in_the_midst_of_another_is_none() -> None:
    known = b"HTTP/1.1 200 OK\r\nX-Known: 5\r\nContent-Length: 2\r\n\r\n"
    assert read(known + b"ok")[0] == ""
    begun = b"HTTP/1.1 200 OK\r\nX: 1\r\n"
    assert read(begun + known + b"ok", [len(begun)]) == read(begun + known + b"ok")
    assert read(begun + known + b"ok", [len(begun)])[0] != ""


def test_a_known_head_behind_an_interim_answer_counts_with_it_towards_the_limit() -> None:
    interim, known = b"HTTP/1.1 102 P\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Known: 6\r\nContent-Length: 0\r\n\r\n"
    assert read(known)[0] == ""
    for limit, error in ((len(interim + known), ""), (len(interim + known) - 1, "head too large")):
        assert read(interim + known, [len(interim)], limit=limit)[0] == error


@pytest.mark.parametrize("size", [b"2", b"10", b"0010", b"1f"])
def test_a_body_that_is_one_chunk_is_taken_at_a_glance(size: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_chunks(_: object) -> None:
        pytest.fail("its chunks are read one by one")

    monkeypatch.setattr(response_parser, "ChunkReader", read_chunks)
    data = b"." * int(size, 16)
    answer = ResponseParser(limit=LIMIT, head_only=False)
    answer.feed(CHUNKED + size + b"\r\n" + data + b"\r\n0\r\n\r\n")
    assert (answer.body.take_all(), answer.complete, answer.behind) == (data, True, False)


def test_a_switch_of_protocols_and_a_large_head_are_read_each_time() -> None:
    switch = b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    large = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2048 + b"\r\nContent-Length: 0\r\n\r\n"
    for wire in (switch, large):
        heads = []
        for _ in range(2):
            answer = ResponseParser(limit=10_000, head_only=False)
            answer.feed(wire)
            heads.append(answer.head)
        assert heads[0] is not heads[1]
        assert heads[0] == heads[1]


def test_known_heads_are_bounded() -> None:
    def head_of(number: int) -> ResponseHead | None:
        answer = ResponseParser(limit=LIMIT, head_only=False)
        answer.feed(b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 0\r\n\r\n" % number)
        return answer.head

    first = head_of(0)
    assert head_of(0) is first
    for number in range(1, 66):
        head_of(number)
    assert head_of(0) is not first


@given(st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=4), st.sets(st.integers(0, 80), max_size=3))
def test_a_known_head_changes_nothing(names: list[str], cuts: set[int]) -> None:
    for name in names:
        wire, _ = ANSWERS[name]
        for head_only in (False, True):
            KNOWN.clear()
            new = read(wire, head_only=head_only)
            assert read(wire, head_only=head_only) == new
            assert read(wire, sorted(cut for cut in cuts if cut < len(wire)), head_only=head_only)[:2] == new[:2]


def test_there_is_nothing_to_go_on_with_where_no_chunks_wait() -> None:
    answer = ResponseParser(limit=LIMIT, head_only=False)
    answer.go_on()
    answer.feed(CHUNKED + b"1\r\nx\r\n0\r\n\r\n")
    answer.go_on()
    assert (answer.body.take_all(), answer.complete, answer.pending) == (b"x", True, False)


def test_an_unfinished_answer_is_freed_once_it_is_let_go() -> None:
    gc.collect()
    gc.disable()
    try:
        answer = ResponseParser(limit=LIMIT, head_only=False)
        answer.feed(b"HTTP/1.1 200 OK\r\nX:")
        answer.let_go()
        del answer
        assert not [left for left in gc.get_objects() if isinstance(left, ResponseParser)]
    finally:
        gc.enable()


def test_what_a_refused_answer_held_is_freed_at_once() -> None:
    flood = (
        b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 100_000 + b"\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2_000
    )

    def refuse() -> None:
        answer = ResponseParser(limit=10**6, head_only=False)
        with contextlib.suppress(RefusedError):  # `pytest.raises` would keep the error
            answer.feed(b"%b" % flood)
            pytest.fail("was not refused")
        answer.let_go()

    refuse()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            refuse()
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()
        gc.enable()


def test_an_answer_is_freed_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        for wire, _ in ANSWERS.values():
            answer = ResponseParser(limit=LIMIT, head_only=False)
            answer.feed(wire)
            del answer
        assert not [left for left in gc.get_objects() if isinstance(left, ResponseParser)]
    finally:
        gc.enable()


@given(st.binary(max_size=30), st.integers(min_value=0, max_value=30))
def test_a_head_s_end_is_found_wherever_it_is_cut(noise: bytes, place: int) -> None:
    head = noise.replace(b"\r\n\r\n", b"").rstrip(b"\r\n") + b"\r\n\r\n"
    place = min(place, len(head) - 1)
    assert head.find(b"\r\n\r\n") == len(head) - 4
    assert head_end(head[:place][-3:], head[place:] + b"more\r\n\r\n") == len(head) - place
    assert head_end(head[:place][-3:], head[place:-1]) == -1
