"""The fields of the gateway's answer as the client gets them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.http1 import answer_head
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.response_parser import ResponseParser
from statusproxy.proxy.response_head import interim_fields, prepared_answer, response_fields, trailer_fields, without


def said(*headers: Header, status: int = 200, version: tuple[int, int] = (1, 1)) -> ResponseHead:
    return ResponseHead(status, b"Reason", version, list(headers))


def test_end_to_end_fields_stay_in_order_and_this_hop_adds_itself() -> None:
    head = said((b"B", b"1"), (b"Connection", b"x-own"), (b"X-Own", b"2"), (b"a", b"3"), version=(1, 0))
    fields, _ = response_fields(head, b"id-1")
    assert fields == [(b"B", b"1"), (b"a", b"3"), (b"Via", b"1.0 statusproxy"), (b"X-Request-Id", b"id-1")]


def test_via_lists_the_hops_before_us_first() -> None:
    fields, _ = response_fields(said((b"Via", b"1.1 other")), b"id-1")
    assert fields[0] == (b"Via", b"1.1 other, 1.1 statusproxy")


def test_the_gateways_own_request_id_stays() -> None:
    fields, _ = response_fields(said((b"X-Request-Id", b"theirs")), b"ours")
    assert (b"X-Request-Id", b"theirs") in fields
    assert (b"X-Request-Id", b"ours") not in fields


def test_the_id_of_another_request_is_replaced() -> None:
    fields, well_known = response_fields(said((b"X-Request-Id", b"theirs")), b"ours", replace_id=True)
    assert [value for name, value in fields if name == b"X-Request-Id"] == [b"ours"]
    assert b"x-request-id" not in well_known


def test_without_an_id_to_replace_ours_is_added_once() -> None:
    fields, _ = response_fields(said(), b"ours", replace_id=True)
    assert fields[-1:] == [(b"X-Request-Id", b"ours")]


@pytest.mark.parametrize("status", [101, 204])
def test_an_answer_that_may_have_no_length_loses_it(status: int) -> None:
    head = said((b"Content-Length", b"0"), status=status)
    fields, well_known = response_fields(head, b"id-1")
    assert b"content-length" not in well_known
    assert b"Content-Length" not in dict(fields)
    assert b"Content-Length" not in prepared_answer(head).wire


@pytest.mark.parametrize("status", [200, 304, 500])
def test_any_other_keeps_its_length(status: int) -> None:
    head = said((b"Content-Length", b"7"), status=status)
    fields, well_known = response_fields(head, b"id-1")
    assert well_known[b"content-length"] == [b"7"]
    assert b"\r\nContent-Length: 7\r\n" in prepared_answer(head).wire
    assert b"Content-Length" not in dict(fields)  # it is the framing's, where the body was read


def test_what_is_made_of_a_head_stays_with_it_and_is_not_changed() -> None:
    head = said((b"A", b"1"), (b"X-Request-Id", b"theirs"), (b"B", b""))
    prepared = prepared_answer(head)
    assert prepared.wire == b"HTTP/1.1 200 Reason\r\nA: 1\r\nX-Request-Id: theirs\r\nB: \r\nVia: 1.1 statusproxy\r\n"
    for _ in range(2):
        fields, well_known = response_fields(head, b"ours", replace_id=True)
        fields.append((b"C", b"2"))
        well_known.clear()
    assert prepared_answer(head) is prepared
    assert response_fields(head, b"ours") == (prepared.fields, {b"x-request-id": [b"theirs"]})


def test_an_interim_answer_announces_no_body() -> None:
    head = said((b"Link", b"</a>"), (b"Content-Length", b"5"), (b"Connection", b"close"), status=103)
    assert interim_fields(head) == [(b"Link", b"</a>")]


def test_trailers_that_say_something_about_framing_or_routing_are_dropped() -> None:
    trailers = [(b"X-Sum", b"1"), (b"Content-Length", b"5"), (b"trailer", b"a"), (b"HOST", b"a"), (b"TE", b"trailers")]
    assert trailer_fields(trailers) == [(b"X-Sum", b"1")]


def test_a_field_is_taken_out_however_it_is_spelt() -> None:
    assert without([(b"ETAG", b"1"), (b"A", b"2"), (b"etag", b"3")], b"etag") == [(b"A", b"2")]


_VALUES = st.sampled_from([b"1", b"22", b"%b", b"%d", b"%", b'W/"a"', b"a, b", b"300"])


@given(st.sampled_from([200, 204, 304, 500]), st.lists(_VALUES, min_size=3, max_size=3), st.integers(0, 99))
def test_heads_that_differ_in_a_few_values_are_prepared_as_each_by_itself(
    status: int, values: list[bytes], length: int
) -> None:
    def head(etag: bytes, date: bytes, request_id: bytes, length: int) -> ResponseHead:
        parser = ResponseParser(4096, head_only=False)
        parser.feed(
            b"HTTP/1.1 %d 5%%b\r\nEtag: %b\r\nX-%%s: 100%%\r\nContent-Length: %d\r\nVia: 1.1 a\r\nConnection: x-own\r\n"
            b"X-Own: 1\r\nX-Request-Id: %b\r\nDate: %b\r\n\r\n" % (status, etag, length, request_id, date)
        )
        assert parser.head is not None
        return parser.head

    answer_head.KNOWN.clear()
    answer_head.PATTERNS.clear()
    head(b"a", b"b", b"c", 5)
    one, two, three = values
    for alike in (head(one, two, three, length), head(three, two, one, length + 1)):
        alone = ResponseHead(alike.status, alike.reason, alike.version, alike.headers)
        assert alike.pattern is not None
        for _ in range(2):
            given_to_client, expected = prepared_answer(alike), prepared_answer(alone)
            assert given_to_client.wire == expected.wire
            assert given_to_client.fields == expected.fields
            assert given_to_client.well_known == expected.well_known


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-length"])
def test_the_length_of_a_body_that_was_read_is_left_to_who_writes_it(name: bytes) -> None:
    for _ in range(2):
        head = ResponseHead(200, b"OK", (1, 1), [(b"A", b"1"), (name, b"7")])
        assert [field for field, _ in response_fields(head, b"id-1")[0]] == [b"A", b"Via", b"X-Request-Id"]


def test_what_is_noted_of_a_head_like_an_earlier_one_is_its_own() -> None:
    def head(tag: bytes) -> ResponseHead:
        parser = ResponseParser(4096, head_only=False)
        parser.feed(b"HTTP/1.1 200 OK\r\nETag: %b\r\nContent-Length: 0\r\n\r\n" % tag)
        assert parser.head is not None
        return parser.head

    for tag in (b'"a"', b'"b"', b'"c"', b'"d"'):
        prepared = prepared_answer(head(tag))
        assert (prepared.well_known[b"etag"], dict(prepared.fields)[b"ETag"]) == ([tag], tag)
