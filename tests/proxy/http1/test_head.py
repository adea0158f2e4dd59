"""Header fields as raw bytes."""

import re
from pathlib import Path

import pytest

from statusproxy.proxy.http1.head import (
    ANSWER_ROLES,
    CREDENTIALS,
    HOP_BY_HOP,
    NEVER_HIDDEN,
    REQUEST_ROLES,
    UNTRUE,
    classify_fields,
    end_to_end,
    first,
    members,
    own_hops,
    tokens,
    values,
    via,
    write_head,
)
from tests.proxy.counted import calls_in

ROOT = Path(__file__).parents[3]

SOME = [(b"A", b"1"), (b"b", b"2"), (b"a", b"3"), (b"List", b"x, Y,,z "), (b"list", b"w")]


def test_names_compare_without_case_and_values_keep_their_order() -> None:
    assert values(SOME, b"a") == [b"1", b"3"]
    assert (first(SOME, b"a"), first(SOME, b"c")) == (b"1", None)


def test_lists_are_read_over_all_lines_without_case_and_empty_members() -> None:
    assert tokens(SOME, b"list") == [b"x", b"y", b"z", b"w"]


def test_what_belongs_to_one_connection_and_what_it_can_never_hide_is_this() -> None:
    hops = "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te transfer-encoding upgrade"
    kept = (
        "accept authorization cache-control content-encoding content-length content-range content-type cookie date "
        "etag expect forwarded host location origin range set-cookie user-agent vary via www-authenticate "
        "x-api-key x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-gateway-secret "
        "x-hmac-signature x-hub-signature-256 x-openwa-signature x-real-ip x-request-id x-signature x-webhook-hmac "
        "x-webhook-secret"
    )
    assert frozenset(hops.encode().split()) == HOP_BY_HOP
    assert frozenset(kept.encode().split()) == NEVER_HIDDEN


def test_every_proof_that_a_preset_or_the_configuration_file_names_is_a_credential() -> None:
    files = [ROOT / "config.yaml", *sorted((ROOT / "statusproxy" / "presets").glob("*.yaml"))]
    named = {name.lower() for file in files for name in re.findall(rb"\bheader: *([\w-]+)", file.read_bytes())}
    assert len(named) > 5
    assert named <= CREDENTIALS


@pytest.mark.parametrize("roles", [REQUEST_ROLES, ANSWER_ROLES])
@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_hop_by_hop_fields_are_sorted_out(name: bytes, roles: dict[bytes, bool]) -> None:
    forwarded, well_known = classify_fields([(b"A", b"1"), (name.upper(), b"x"), (b"B", b"2")], roles)
    assert forwarded == [(b"A", b"1"), (b"B", b"2")]
    assert well_known[name] == [b"x"]


NOTED = (
    *("accept-encoding", "expect", "forwarded", "host", "if-none-match", "sec-websocket-key", "x-forwarded-for"),
    *("x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"),
)
OF_THE_BODY = (
    *("accept-ranges", "content-digest", "content-encoding", "content-length", "content-md5", "digest", "etag"),
    *("last-modified", "repr-digest", "signature", "signature-input"),
)


@pytest.mark.parametrize(
    ("roles", "name"),
    [*((REQUEST_ROLES, name) for name in NOTED), *((ANSWER_ROLES, name) for name in (*OF_THE_BODY, "vary"))],
)
def test_fields_that_the_proxy_reads_are_noted_and_go_on(name: str, roles: dict[bytes, bool]) -> None:
    header = (name.title().encode(), b"x")
    assert classify_fields([header], roles) == ([header], {name.encode(): [b"x"]})


@pytest.mark.parametrize("connection", [[b"keep-alive, X-Mine"], [b"close", b"x-mine"], [b"X-MINE"]])
def test_what_connection_names_is_sorted_out(connection: list[bytes]) -> None:
    fields = [(b"X-Mine", b"1"), *((b"Connection", value) for value in connection), (b"x-mine", b"2"), (b"B", b"3")]
    assert classify_fields(fields, REQUEST_ROLES)[0] == [(b"B", b"3")]
    assert end_to_end(fields, HOP_BY_HOP) == [(b"B", b"3")]


@pytest.mark.parametrize("name", sorted(NEVER_HIDDEN - {b"via"}))
def test_connection_hides_nothing_that_changes_what_a_message_means(name: bytes) -> None:
    fields = [(name.title(), b"1"), (b"Connection", b"close, " + name)]
    assert classify_fields(fields, REQUEST_ROLES)[0] == [(name.title(), b"1")]
    assert end_to_end(fields, HOP_BY_HOP) == [(name.title(), b"1")]


def test_an_answer_s_trailer_announcement_stays_and_a_request_s_does_not() -> None:
    assert classify_fields([(b"Trailer", b"X")], ANSWER_ROLES)[0] == [(b"Trailer", b"X")]
    assert classify_fields([(b"Trailer", b"X")], REQUEST_ROLES)[0] == []


def test_the_members_of_a_list_are_those_of_all_its_lines_in_order() -> None:
    assert members([]) == members([b"", b" , ,"]) == []
    assert members([b"a;q=1 ,B,, c d\t", b"e"]) == [b"a;q=1", b"B", b"c d", b"e"]


@pytest.mark.parametrize("list_of_many", [b"," * 30_000, b"a," * 15_000])
def test_no_member_of_a_long_list_takes_a_call_of_its_own(list_of_many: bytes) -> None:
    """Tens of thousands of them would hold the event loop."""
    fields = [(b"Connection", list_of_many)]
    assert calls_in(lambda: tokens(fields, b"connection")) < 50
    assert calls_in(lambda: classify_fields(fields, REQUEST_ROLES)) < 50
    assert calls_in(lambda: end_to_end(fields, HOP_BY_HOP)) < 50


@pytest.mark.parametrize("list_of_many", [b"," * 30_000, b"1.1 a," * 5_000])
def test_of_the_hops_on_the_way_only_the_last_256_are_read(list_of_many: bytes) -> None:
    """Who is in a loop has appended its own to them."""
    assert calls_in(lambda: own_hops([list_of_many])) < 1000
    assert own_hops([list_of_many + b"1.1 statusproxy"]) == 1
    assert own_hops([b"1.1 statusproxy", list_of_many]) == 0
    assert own_hops([b"1.1 statusproxy"] * 256) == own_hops([b"1.1 statusproxy"] * 257) == 256


def test_the_statusproxies_on_the_way_are_counted() -> None:
    assert own_hops([]) == own_hops([b"1.1 nginx"]) == 0
    assert own_hops([b"1.0 statusproxy, 1.1 nginx, 1.1 statusproxy", b"1.1 statusproxy"]) == 3
    assert own_hops([b"1.1 StatusProxy (0.2),\tHTTP/1.1 statusproxy"]) == 2


def test_a_hop_whose_name_or_comment_only_contains_ours_is_another_one() -> None:
    assert own_hops([b"1.1 statusproxy-edge, 1.1 my.statusproxy, 1.1 statusproxy:8080, 1.1 a (a statusproxy)"]) == 0


def test_via_lists_all_hops_in_one_field() -> None:
    assert via(None, (1, 1)) == (b"Via", b"1.1 statusproxy")
    assert via(None, (2, 0)) == (b"Via", b"2.0 statusproxy")
    assert via([b"1.0 a, 1.1 b", b"2 c"], (1, 0)) == (b"Via", b"1.0 a, 1.1 b, 2 c, 1.0 statusproxy")


def test_a_head_is_written_line_by_line_with_its_empty_line() -> None:
    assert write_head(b"GET / HTTP/1.1", [(b"A", b"1"), (b"b", b"")]) == b"GET / HTTP/1.1\r\nA: 1\r\nb: \r\n\r\n"


@pytest.mark.parametrize("roles", [REQUEST_ROLES, ANSWER_ROLES])
def test_of_what_every_head_may_hold_via_is_written_anew_and_the_rest_goes_on(roles: dict[bytes, bool]) -> None:
    read = (b"Via", b"X-Request-Id", b"Content-Length", b"Content-Encoding")
    headers = [(name, b"x") for name in read]
    assert classify_fields(headers, roles) == (headers[1:], {name.lower(): [b"x"] for name in read})


def test_only_connection_names_fields() -> None:
    fields = [(b"X-Mine", b"close"), (b"Connection", b"x-mine"), (b"B", b"x-mine")]
    assert end_to_end(fields, HOP_BY_HOP) == [(b"B", b"x-mine")]


def test_fields_that_a_harmless_option_names_stay() -> None:
    fields = [(b"Connection", b"keep-alive"), (b"Keep-Alive", b"timeout=5"), (b"X-A", b"1")]
    assert end_to_end(fields, HOP_BY_HOP) == [(b"X-A", b"1")]


def test_the_fields_that_describe_a_body_are_these() -> None:
    assert {name.encode() for name in OF_THE_BODY} == UNTRUE


def test_connection_names_a_field_whatever_that_field_s_own_value_is() -> None:
    fields = [(b"X-Mine", b"close"), (b"Connection", b"x-mine")]
    assert end_to_end(fields, HOP_BY_HOP) == []
    assert classify_fields(fields, REQUEST_ROLES)[0] == []


@pytest.mark.parametrize("option", [b"keep-alive", b"close", b"upgrade", b"Close"])
def test_an_everyday_option_alone_is_about_the_connection_and_names_no_field(option: bytes) -> None:
    fields = [(b"Connection", option), (option.title(), b"1")]
    assert end_to_end(fields, frozenset({b"connection"})) == fields[1:]
    assert classify_fields(fields, {b"connection": False})[0] == fields[1:]


def test_the_options_of_many_lines_are_gathered_once() -> None:
    """Gathered anew for each of the lines they would hold the event loop."""
    fields = [(b"Connection", b"x-mine")] * 100
    assert calls_in(lambda: end_to_end(fields, HOP_BY_HOP)) < 1000
    assert calls_in(lambda: classify_fields(fields, REQUEST_ROLES)) < 1000
