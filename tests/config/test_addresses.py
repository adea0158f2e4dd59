"""Addresses: what is read, what is refused and with which fix, and what is never shown."""

from collections.abc import Callable

import pytest

from statusproxy.config.addresses import (
    Address,
    Target,
    check_host,
    check_path,
    conceal,
    conceal_url,
    mask_url,
    parse_address,
    parse_admin,
    parse_gateway,
    parse_network,
    parse_target,
)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("0.0.0.0:8090", Address("0.0.0.0", 8090)),
        ("[::1]:80", Address("::1", 80)),
        (":8090", Address("", 8090)),
        ("localhost:0", Address("localhost", 0)),
        ("unix:/run/proxy.sock", Address(unix="/run/proxy.sock")),
    ],
)
def test_an_address_to_listen_on_is_read_and_shown_as_it_was_written(written: str, address: Address) -> None:
    assert parse_address(written) == address
    assert str(address) == written


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("8090", ":8090"),
        ("*:8090", ":8090"),
        ("::1:80", "[::1]:80"),
        ("http://0.0.0.0:8090/", "0.0.0.0:8090"),
        ("unix://run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_a_near_miss_of_an_address_is_corrected(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match="did you mean") as caught:
        parse_address(written)
    assert str(caught.value).endswith(f'; did you mean "{meant}"?')


@pytest.mark.parametrize(
    "written",
    [
        "",
        "host",
        "host:",
        "host:x",
        "host:65536",
        "a b:80",
        "[::1:80",
        "[1.2.3.4]:80",
        "256.0.0.1:80",
        "unix:run",
        "unix:/",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed: host:port"):
        parse_address(written)


def test_a_socket_path_longer_than_the_system_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 107 bytes"):
        parse_address("unix:/" + "x" * 107)


@pytest.mark.parametrize(
    ("written", "private"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/run/x", True),
        (":1", False),
        ("0.0.0.0:1", False),
        ("10.0.0.1:1", False),
        ("proxy.example:1", False),
    ],
)
def test_private_is_what_only_this_machine_can_reach(written: str, private: bool) -> None:
    assert parse_address(written).is_private is private


@pytest.mark.parametrize(
    ("written", "target", "shown"),
    [
        ("http://gw.example:3000", Target("http", "gw.example", 3000), "http://gw.example:3000"),
        ("HTTP://gw.example/", Target("http", "gw.example", 80), "http://gw.example"),
        ("https://gw.example/base/", Target("https", "gw.example", 443, "/base"), "https://gw.example/base"),
        ("http://[::1]:3000", Target("http", "::1", 3000), "http://[::1]:3000"),
        ("http://gateway_wrapper:3000", Target("http", "gateway_wrapper", 3000), "http://gateway_wrapper:3000"),
        ("unix:/run/gw.sock", Target("unix", unix="/run/gw.sock"), "unix:/run/gw.sock"),
    ],
)
def test_a_gateway_is_taken_apart_and_has_one_spelling(written: str, target: Target, shown: str) -> None:
    assert parse_gateway(written) == target
    assert str(target) == shown


def test_the_authority_leaves_out_the_schemes_own_port() -> None:
    assert parse_gateway("https://gw.example:443").authority == "gw.example"
    assert parse_gateway("https://gw.example:80").authority == "gw.example:80"
    assert parse_gateway("http://[::1]:80").authority == "[::1]"
    assert parse_gateway("unix:/run/x").authority == "localhost"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("gw.example:3000", 'did you mean "http://gw.example:3000"'),
        ("http://u:p@gw.example/x", 'remove what is before "@": http://gw.example/x'),
        ("http://u:p@gw.example/S3cret", 'remove what is before "@": http://gw.example/…'),
        ("http://u:pa@ss/w:rd@gw.example/x", 'remove what is before "@": http://gw.example/x'),
        ("http://u:p@gw.example:s3cret/x", 'remove what is before "@": http://gw.example:…'),
        ("http://gw.example?a=b", 'cannot have a query: each request has its own; remove what follows "?"'),
        ("http://gw.example/?", "cannot have a query"),
        ("http://gw.example/#x", 'remove what follows "#"'),
        ("over there", "allowed: http://host"),
        ("ftp://gw.example", "allowed: http://host"),
        ("http://", "allowed: http://host"),
        ("http://:3000", "allowed: http://host"),
        ("http://gw.example:0", "allowed: http://host"),
        ("http://gw.example:x", "allowed: http://host"),
        ("http://gw exa.mple", "allowed: http://host"),
        ("http://gw.example/\x00", "allowed: http://host"),
        ("http://çgw.example", "allowed: http://host"),
        ("http://[::1", "allowed: http://host"),
    ],
)
def test_what_cannot_be_a_gateway_is_refused_with_the_fix(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|sent|query") as caught:
        parse_gateway(written)
    assert message in str(caught.value)


def test_a_target_keeps_its_query_and_always_has_a_path() -> None:
    assert str(parse_target("https://hub.example/hook?key=1")) == "https://hub.example/hook?key=1"
    assert str(parse_target("https://hub.example")) == "https://hub.example/"


def test_a_network_may_be_one_address() -> None:
    assert str(parse_network("10.1.2.3")) == "10.1.2.3/32"
    assert str(parse_network("fd00::/8")) == "fd00::/8"


@pytest.mark.parametrize(
    ("written", "end"),
    [("10.0.0.1/8", 'did you mean "10.0.0.0/8"?'), ("lan", "or one address"), ("10.0.0.0/33", "or one address")],
)
def test_what_is_no_network_is_refused(written: str, end: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed: a network") as caught:
        parse_network(written)
    assert str(caught.value).endswith(end)


def test_a_url_is_shown_without_the_values_of_its_query() -> None:
    shown = mask_url("https://hub.example/@me?key=secret&secret&a=", "***")
    assert shown == "https://hub.example/***?key=***&***&a=***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:pa@ss/w:rd@gw.example/x", "http://***@gw.example/x"),
        ("u:secret@gw.example:3000", "***@gw.example:3000"),
        ("gw.example?key=secret#x", "gw.example?key=***#***"),
        ("http://gw.example/#secret", "http://gw.example/#***"),
        ("http://u:secret", "http://u:***"),
        ("https://[::1]:secret/x", "https://[::1]:***"),
        ("http://u:p@hub.example/bot12:AAHs3cret/x", "http://***@hub.example/***/x"),
        ("ftp://u:p@hub.example/S3cret/x", "ftp://***@hub.example/***/x"),
        ("u:p@gw.example/9f8es3cret", "***@gw.example/***"),
        ("http://u:p@gw.example:s3cret/x", "http://***@gw.example:***"),
        ("/api/{session}:s3cret/status?a=b", "/api/{session}:***/status?a=***"),
        ("http://gw.example:3000/x:y", "http://gw.example:3000/***"),
        ("ftp://h.example/s3cret", "ftp://h.example/***"),
        ("http:/h.example/S3cret/x", "http:/h.example/***/x"),
        ("https:///h.example/S3cret", "https:///h.example/***"),
        ("POST http://h.example/S3cret", "POST http://h.example/***"),
        ("unix:/run/Gateway2.sock", "unix:/run/Gateway2.sock"),
        ("https://hooks.example/services/T0/B0/XyZ", "https://hooks.example/services/***/***/***"),
        ("http://h.example/api/v1/whatsapp-webhook/{session}/", "http://h.example/api/v1/whatsapp-webhook/{session}/"),
        ("http://h.example/webhook/**", "http://h.example/webhook/**"),
        ("http://h.example/abcdefghijklmnopq", "http://h.example/***"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("gw.example", "gw.example"),
    ],
)
def test_an_error_repeats_nothing_that_may_be_a_password(text: str, shown: str) -> None:
    assert conceal(text, "***") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("u:secret", "u:***"),
        ("gw.example:3000", "gw.example:3000"),
        ("unix:run/gw.sock", "unix:run/gw.sock"),
        ("http://u:secret", "http://u:***"),
    ],
)
def test_a_text_that_was_meant_as_a_url_is_judged_as_one_without_its_scheme_too(text: str, shown: str) -> None:
    assert conceal_url(text, "***") == shown


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        (parse_address, "http://u:hidden@h.example:80"),
        (parse_address, "unix://u:hidden@run"),
        (parse_gateway, "gw.example:3000?key=hidden"),
        (parse_gateway, "unix://u:hidden@gw"),
        (parse_target, "u:hidden@hub.example/x"),
    ],
)
def test_no_correction_repeats_a_password_or_a_token(parse: Callable[[str], object], written: str) -> None:
    with pytest.raises(ValueError, match="allowed") as caught:
        parse(written)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("127.0.0.1:1", Address("127.0.0.1", 1)),
        ("http://127.0.0.1:1/", Address("127.0.0.1", 1)),
        ("HTTP://[::1]", Address("::1", 8091)),
        ("proxy.example", Address("proxy.example", 8091)),
        (":1", Address("127.0.0.1", 1)),
        ("unix:/run/admin.sock", Address(unix="/run/admin.sock")),
    ],
)
def test_where_the_admin_listener_is_asked_is_read(written: str, address: Address) -> None:
    assert parse_admin(written) == address


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("http://u:hidden@127.0.0.1:1", "without a user; the token is admin.token"),
        ("h:hidden", "or unix:/path"),
        ("https://h:1", "or unix:/path"),
        ("h:0", "or unix:/path"),
        ("::1:1", 'did you mean "[::1]:1"?'),
    ],
)
def test_what_cannot_be_asked_is_refused(written: str, end: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed: host:port, http://host:port or unix:/path") as caught:
        parse_admin(written)
    assert str(caught.value).endswith(end)
    assert "hidden" not in str(caught.value)


def test_a_host_is_a_name_or_an_address() -> None:
    for written in ("gw.example", "gateway_wrapper", "10.0.0.1", "::1"):
        assert check_host(written) == written
    for written in ("", "a b", "gw.example:1", "a..b", "é.example"):
        with pytest.raises(ValueError, match=r"^allowed: a host's name"):
            check_host(written)


def test_a_path_is_one_line_of_text() -> None:
    assert check_path("/var/lib/é x") == "/var/lib/é x"
    for written in ("", " ", "a\0b", "a\nb"):
        with pytest.raises(ValueError, match=r"^allowed: a path"):
            check_path(written)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "0.0.0.0:1", True),
        ("127.0.0.1:1", ":1", True),
        ("[::1]:1", ":1", True),
        ("[::1]:1", "[::]:1", True),
        ("localhost:1", "127.0.0.1:1", True),
        ("LOCALHOST:1", "[::1]:1", True),
        ("unix:/a", "unix:/a", True),
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("127.0.0.1:1", "127.0.0.2:1", False),
        ("127.0.0.1:1", "[::]:1", False),
        ("[::1]:1", "0.0.0.0:1", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", ":1", False),
    ],
)
def test_two_addresses_clash_where_the_system_would_refuse_the_second(one: str, other: str, clash: bool) -> None:
    first, second = parse_address(one), parse_address(other)
    assert first.clashes_with(second) is clash
    assert second.clashes_with(first) is clash
