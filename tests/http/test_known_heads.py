"""A head that comes again byte for byte is not read again, and nothing but that is different."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.proxy.http1 import request_parser
from statusproxy.proxy.http1.request_parser import HeadLimits, RequestHead, RequestParser

HOST = b"Host: proxy.example\r\n"

GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /b HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n"
#: Whole requests of every kind that a parser could mistake for one another.
WHOLE = [
    GET,
    GET.replace(b"/a", b"/other"),
    b"\r\n" + GET,
    b"\r\n\r\n" + GET,
    POST + b"abc",
    POST + b"xyz",
    POST + b"\r\n\r",
    POST.replace(b"3", b"18") + GET[:18],
    POST.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    GET.replace(b"GET", b"PURGE"),
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
]
LAST = [
    GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    b"GET /old HTTP/1.0\r\n\r\n",
    GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    b"CONNECT a.example:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET  /two-spaces HTTP/1.1\r\n" + HOST + b"\r\n",
]


def limits() -> HeadLimits:
    return HeadLimits(target=1000, head=4000, fields=50)


def read(under: HeadLimits, pieces: list[bytes]) -> list[Any]:
    """What a fresh connection makes of these pieces: heads, the data of bodies and their ends, or what was refused."""
    parser = RequestParser(under)
    found: list[Any] = []
    for piece in pieces:
        for event in parser.feed(piece, 1000, 1000):
            if isinstance(event, RequestHead):
                found.append((event.method, event.target, event.headers, event.keep_alive, event.upgrade))
            elif isinstance(event, bytes) and isinstance(found[-1], bytes):
                found[-1] += event
            else:
                found.append(event)
    return [*found, parser.take_rest()] if parser.switched else found


requests_and_last = st.tuples(st.lists(st.sampled_from(WHOLE), max_size=6), st.sampled_from([b"", *LAST]))


@settings(max_examples=300, deadline=None)
@given(warming=st.lists(requests_and_last, max_size=4), sent=requests_and_last, data=st.data())
def test_a_parser_that_knows_heads_reads_what_one_that_knows_none_reads(
    warming: list[tuple[list[bytes], bytes]], sent: tuple[list[bytes], bytes], data: st.DataObject
) -> None:
    warm = limits()
    for whole, last in warming:
        for request in whole:
            read(warm, [request])
        read(warm, [b"".join(whole) + last])
    stream = b"".join(sent[0]) + sent[1]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=5)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert read(warm, pieces) == read(limits(), pieces)


def test_a_head_that_comes_again_is_the_same_object() -> None:
    parser = RequestParser(limits())
    [first] = parser.feed(GET, 1, 0)
    [second] = parser.feed(GET, 1, 0)
    assert second is first


def test_an_empty_line_before_a_request_is_never_taken_for_its_head() -> None:
    under = limits()
    read(under, [b"\r\n\r\n" + GET])
    assert not any(head.startswith(b"\r") for head in under.known)


@pytest.mark.parametrize("request_bytes", LAST)
def test_a_head_that_ends_the_connection_or_switches_it_is_read_each_time(request_bytes: bytes) -> None:
    under = limits()
    read(under, [request_bytes])
    assert not under.known


def test_heads_are_remembered_within_bounds() -> None:
    under = limits()
    for number in range(3 * request_parser._REMEMBERED):
        read(under, [GET.replace(b"/a", b"/%d" % number)])
    assert 0 < len(under.known) <= request_parser._REMEMBERED
    large = GET.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * request_parser._REMEMBERED_SIZE + b"\r\n\r\n")
    read(under, [large])
    assert large not in under.known
