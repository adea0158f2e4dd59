"""Who is asking: whose words about others are believed, and what the gateway is told."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from statusproxy.proxy.client_address import (
    LOCAL,
    NAMING,
    REWRITTEN,
    Peer,
    Trust,
    _parsed,
    introduce,
    parse_address,
    within,
)
from statusproxy.proxy.forwarded_field import MOST_ELEMENTS
from statusproxy.proxy.http1.head import Headers
from tests.proxy.harness import Origin, get, running

TRUST = Trust([ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1/128")])
NGINX = Peer("10.0.0.1")
STRANGER = Peer("203.0.113.9")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:8080", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ('"[2001:db8::1]"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ],
)
def test_an_address_is_read_with_port_brackets_quotes_and_zone(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text", ["", "unknown", "_hidden", "10.0.0.256", "010.0.0.1", "10.1", "a.example", "1:2:3", "10.0.0.1?"]
)
def test_what_is_no_address_is_none_and_lies_nowhere(text: str) -> None:
    assert parse_address(text) is None
    assert not within(parse_address(text), [ip_network("0.0.0.0/0"), ip_network("::/0")])


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        ([], "10.0.0.1"),
        ([(b"X-Forwarded-For", b"198.51.100.7")], "198.51.100.7"),
        ([(b"x-forwarded-for", b"127.0.0.1, 198.51.100.7")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"198.51.100.7, 10.0.0.3")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-For", b"198.51.100.7")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"10.0.0.5, 10.0.0.3")], "10.0.0.5"),
        ([(b"X-Forwarded-For", b"10.0.0.5, unknown")], "unknown"),
        ([(b"X-Forwarded-For", b"203.0.113.1, 198.51.100.7")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"203.0.113.1, 198.51.100.7, 10.0.0.3")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"203.0.113.1"), (b"X-Forwarded-For", b"198.51.100.7")], "198.51.100.7"),
        ([(b"Forwarded", b"for=203.0.113.1, for=198.51.100.7")], "198.51.100.7"),
        ([(b"Forwarded", b"for=203.0.113.1, for=198.51.100.7, for=10.0.0.3")], "198.51.100.7"),
        ([(b"Forwarded", b"for=203.0.113.1"), (b"Forwarded", b"for=198.51.100.7")], "198.51.100.7"),
        ([(b"X-Real-IP", b"203.0.113.1"), (b"X-Real-IP", b"198.51.100.7")], "198.51.100.7"),
        ([(b"Forwarded", b"for=203.0.113.1"), (b"X-Forwarded-For", b"198.51.100.7")], "198.51.100.7"),
        ([(b"X-Real-IP", b"203.0.113.1"), (b"Forwarded", b"for=198.51.100.7")], "198.51.100.7"),
        ([(b"Forwarded", b"for=10.0.0.5"), (b"X-Forwarded-For", b"10.0.0.4, 10.0.0.3")], "10.0.0.4"),
        ([(b"X-Real-IP", b"10.0.0.6"), (b"Forwarded", b"for=10.0.0.5, for=10.0.0.4")], "10.0.0.5"),
        ([(b"X-Forwarded-For", b" , ")], "10.0.0.1"),
        ([(b"X-Forwarded-For", b",198.51.100.7,")], "198.51.100.7"),
        ([(b"Forwarded", b'for="[2001:db8::1]:80";proto=https, for=10.0.0.3')], "[2001:db8::1]:80"),
        ([(b"Forwarded", b"proto=https;For=198.51.100.7")], "198.51.100.7"),
        ([(b"Forwarded", b'proto=http;host="a;for=10.0.0.1";for=203.0.113.5')], "203.0.113.5"),
        ([(b"Forwarded", b'for=203.0.113.5;host="a, for=10.0.0.1"')], "203.0.113.5"),
        ([(b"Forwarded", b"for=203.0.113.5"), (b"Forwarded", b"for=10.0.0.3")], "203.0.113.5"),
        ([(b"Forwarded", b"for=_hidden, for=10.0.0.3")], "_hidden"),
        ([(b"X-Real-IP", b"198.51.100.7")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"127.0.0.1"), (b"X-Real-IP", b"198.51.100.7")], "198.51.100.7"),
        ([(b"X-Forwarded-For", b"127.0.0.1"), (b"Forwarded", b"for=198.51.100.7")], "198.51.100.7"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_no_trusted_proxy(fields: list[tuple[bytes, bytes]], client: str) -> None:
    assert TRUST.client(NGINX, fields) == client


@pytest.mark.parametrize("line", [b'for="', b'for=203.0.113.5;host="a, for=10.0.0.1', b"for=a for=b", b"for=a;for=b"])
def test_behind_a_forwarded_that_breaks_the_grammar_is_an_unknown_client(line: bytes) -> None:
    """Passed over, it would make the proxy that appended to it the client: one of our own network."""
    assert TRUST.client(NGINX, [(b"Forwarded", line), (b"X-Real-IP", b"10.0.0.2")]) == "unknown"
    assert not TRUST.is_trusted("unknown")


@pytest.mark.parametrize("member", [b"10.0.0.2", b""])
def test_behind_more_hops_than_are_read_is_an_unknown_client(member: bytes) -> None:
    """Empty members count, too: each takes time."""
    few, many = (b",".join([b"10.0.0.1", *[member] * count]) for count in (MOST_ELEMENTS - 1, MOST_ELEMENTS))
    assert TRUST.client(Peer("10.0.0.9"), [(b"X-Forwarded-For", few)]) == "10.0.0.1"
    assert TRUST.client(Peer("10.0.0.9"), [(b"X-Forwarded-For", many)]) == "unknown"
    first_is_empty = b"," + b",".join([b"10.0.0.1"] * MOST_ELEMENTS)
    assert TRUST.client(Peer("10.0.0.9"), [(b"X-Forwarded-For", first_is_empty)]) == "unknown"


def test_a_client_in_front_of_the_last_few_hops_is_named_however_many_stand_before_it() -> None:
    line = b",".join([*[b"10.0.0.1"] * 2000, b"198.51.100.7", *[b"10.0.0.2"] * 3])
    assert TRUST.client(NGINX, [(b"X-Forwarded-For", line)]) == "198.51.100.7"


def test_hops_over_many_lines_count_together() -> None:
    for name in (b"X-Forwarded-For", b"X-Real-IP"):
        assert TRUST.client(NGINX, [(name, b"10.0.0.2")] * (MOST_ELEMENTS + 1)) == "unknown"


def test_no_more_hops_are_looked_up_than_are_read() -> None:
    trust = Trust([ip_network("10.0.0.0/8")])
    line = b",".join(b"10.1.%d.%d" % divmod(number, 256) for number in range(2700))
    assert trust.client(NGINX, [(b"X-Forwarded-For", line)]) == "unknown"
    assert trust._looked_up.cache_info().misses == MOST_ELEMENTS + 2, "the peer and the unknown client, too"


async def test_the_hops_of_a_request_that_is_passed_on_are_read_once(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    client = Trust.client

    def recorded(trust: Trust, peer: Peer, headers: Headers) -> str:
        read.append(client(trust, peer, headers))
        return read[-1]

    monkeypatch.setattr(Trust, "client", recorded)
    async with running(tmp_path, origin.url, trusted_proxies=["127.0.0.1/32"]) as proxy:
        await proxy.ask(get("/", "X-Forwarded-For: 198.51.100.7"))
    assert read == ["198.51.100.7"]


def test_a_long_made_up_address_is_neither_parsed_nor_remembered() -> None:
    remembered = _parsed.cache_info().currsize
    assert parse_address("fe80::1%".ljust(65, "x")) is None
    assert _parsed.cache_info().currsize == remembered
    assert parse_address("fe80::1%".ljust(64, "x")) == ip_address("fe80::1")


def test_what_is_too_long_for_an_address_is_not_remembered() -> None:
    trust = Trust([ip_network("10.0.0.0/8")])
    fields = [(b"X-Forwarded-For", b"10.0.0.2" + b" " * 100 + b"x" * 100)]
    assert trust.client(NGINX, fields) == fields[0][1].decode()
    assert trust._looked_up.cache_info().currsize == 1


def test_an_address_may_have_64_characters_and_no_more() -> None:
    assert TRUST.is_trusted("10.0.0.2".ljust(64))
    assert not TRUST.is_trusted("10.0.0.2".ljust(65))


def test_three_fields_name_the_client_and_three_more_tell_of_what_it_asked() -> None:
    assert {b"x-forwarded-for", b"forwarded", b"x-real-ip"} == NAMING
    assert {*NAMING, b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"} == REWRITTEN


def test_a_stranger_is_the_client_whatever_it_says() -> None:
    assert TRUST.client(STRANGER, [(b"X-Forwarded-For", b"127.0.0.1"), (b"X-Real-IP", b"127.0.0.1")]) == "203.0.113.9"


def test_an_address_made_up_in_front_of_a_proxy_s_own_field_hides_nobody() -> None:
    fields = [(b"X-Real-IP", b"127.0.0.1"), (b"X-Real-IP", b"203.0.113.9")]
    assert TRUST.client(NGINX, fields) == "203.0.113.9"
    assert TRUST.client(NGINX, fields[::-1]) == "203.0.113.9"


def told(peer: Peer, *fields: tuple[bytes, bytes], host: bytes = b"a.example") -> dict[bytes, bytes]:
    written = TRUST.forward(peer, TRUST.client(peer, fields), host, list(fields))
    assert len(dict(written)) == len(written), "a field twice"
    return dict(written)


def test_a_stranger_s_words_are_replaced() -> None:
    names = (b"X-Forwarded-For", b"X-Real-IP", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Forwarded-Port")
    assert told(STRANGER, *[(name, b"made up") for name in names], (b"Forwarded", b"for=made-up")) == {
        b"X-Forwarded-For": b"203.0.113.9",
        b"X-Real-IP": b"203.0.113.9",
        b"X-Forwarded-Proto": b"http",
        b"X-Forwarded-Host": b"a.example",
        b"X-Forwarded-Port": b"80",
        b"Forwarded": b'for=203.0.113.9;proto=http;host="a.example"',
    }


def test_a_trusted_proxy_s_words_are_kept_and_its_own_address_added() -> None:
    said = {
        b"X-Forwarded-For": b"198.51.100.7",
        b"X-Real-IP": b"198.51.100.8",
        b"X-Forwarded-Proto": b"https",
        b"X-Forwarded-Host": b"hub.example",
        b"X-Forwarded-Port": b"8443",
        b"Forwarded": b"for=198.51.100.7",
    }
    assert told(NGINX, *said.items()) == {
        **said,
        b"X-Forwarded-For": b"198.51.100.7, 10.0.0.1",
        b"Forwarded": b'for=198.51.100.7, for=10.0.0.1;proto=http;host="a.example"',
    }


def test_a_forwarded_that_breaks_the_grammar_is_not_carried_on() -> None:
    written = told(NGINX, (b"Forwarded", b'for=203.0.113.5;host="a'))[b"Forwarded"]
    assert written == b'for=unknown, for=10.0.0.1;proto=http;host="a.example"'


def test_an_empty_forwarded_adds_nothing_to_ours() -> None:
    assert told(NGINX, (b"Forwarded", b""))[b"Forwarded"] == b'for=10.0.0.1;proto=http;host="a.example"'


def test_the_real_client_is_told_where_a_trusted_proxy_only_wrote_the_chain() -> None:
    assert told(NGINX, (b"X-Forwarded-For", b"198.51.100.7"))[b"X-Real-IP"] == b"198.51.100.7"


@pytest.mark.parametrize(
    ("peer", "host", "port"),
    [
        (Peer("203.0.113.9"), b"a.example:8090", b"8090"),
        (Peer("203.0.113.9"), b"[2001:db8::1]", b"80"),
        (Peer("203.0.113.9", secure=True), b"a.example", b"443"),
    ],
)
def test_the_port_is_the_one_that_was_asked_for(peer: Peer, host: bytes, port: bytes) -> None:
    assert told(peer, host=host)[b"X-Forwarded-Port"] == port


def test_forwarded_is_written_only_where_the_sender_used_it() -> None:
    assert b"Forwarded" not in told(STRANGER)
    assert told(Peer("2001:db8::1"), (b"Forwarded", b""))[b"Forwarded"].startswith(b'for="[2001:db8::1]";')


def test_the_host_that_a_trusted_proxy_was_asked_for_is_told_where_the_request_has_none() -> None:
    assert told(NGINX, (b"X-Forwarded-Host", b"hub.example"), host=b"")[b"X-Forwarded-Host"] == b"hub.example"


def test_forwarded_names_the_host_that_was_asked_for_where_one_was() -> None:
    assert told(STRANGER, (b"Forwarded", b""), host=b"")[b"Forwarded"] == b"for=203.0.113.9;proto=http"
    quoted = told(STRANGER, (b"Forwarded", b""), host=b'a"b\\c')[b"Forwarded"]
    assert quoted == b'for=203.0.113.9;proto=http;host="abc"'


def test_a_client_of_tls_is_told_of_as_such() -> None:
    secure = told(Peer("203.0.113.9", secure=True), (b"Forwarded", b""), host=b"")
    assert (secure[b"X-Forwarded-Proto"], secure[b"Forwarded"]) == (b"https", b"for=203.0.113.9;proto=https")


def test_an_interface_whose_name_is_not_ascii_is_told_of_as_far_as_it_can_be() -> None:
    peer = Peer("fe80::1%w\u20ac")
    assert told(peer)[b"X-Real-IP"] == told(peer, (b"X-Real-IP", b"x"))[b"X-Real-IP"] == b"fe80::1%w?"


def test_a_client_on_a_unix_socket_is_told_of_as_this_host() -> None:
    assert Peer(LOCAL) == Peer("127.0.0.1", secure=False)
    assert told(Peer(LOCAL))[b"X-Forwarded-For"] == told(Peer(LOCAL))[b"X-Real-IP"] == b"127.0.0.1"


def test_a_request_that_says_nothing_is_introduced_by_its_peer() -> None:
    assert dict(introduce(STRANGER.address, STRANGER.secure, b"a.example")) == told(STRANGER)
    assert dict(introduce(NGINX.address, NGINX.secure, b"a.example")) == told(NGINX), "trusted or not"


async def test_the_connections_of_one_client_take_one_place_in_memory(origin: Origin, tmp_path: Path) -> None:
    introduce.cache_clear()
    async with running(tmp_path, origin.url) as proxy:
        for _ in range(5):
            await proxy.ask(get("/"))
    assert introduce.cache_info().currsize == 1


def test_the_first_few_strangers_that_speak_for_others_are_remembered() -> None:
    trust = Trust([ip_network("10.0.0.0/8")])
    for last in range(20):
        trust.forward(Peer(f"203.0.113.{last}"), "203.0.113.9", b"", [(b"X-Real-IP", b"192.0.2.1")])
    trust.forward(NGINX, "192.0.2.1", b"", [(b"X-Real-IP", b"192.0.2.1")])
    assert list(trust.strangers) == [f"203.0.113.{last}" for last in range(16)]


def test_other_fields_stay_in_front_in_their_order() -> None:
    written = TRUST.forward(STRANGER, STRANGER.address, b"", [(b"B", b"1"), (b"X-Real-IP", b"x"), (b"A", b"2")])
    assert written[:2] == [(b"B", b"1"), (b"A", b"2")]
    assert b"X-Forwarded-Host" not in dict(written)


async def test_the_gateway_is_told_the_peer_and_keeps_what_a_trusted_peer_said(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, trusted_proxies=["127.0.0.1/32"]) as proxy:
        await proxy.ask(get("/", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"))
    async with running(tmp_path, origin.url, trusted_proxies=["192.0.2.0/24"]) as proxy:
        await proxy.ask(get("/", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"))
    seen = [(r.all("X-Forwarded-For"), r.all("X-Real-IP"), r.all("X-Forwarded-Proto")) for r in origin.requests]
    assert seen == [
        ([b"198.51.100.7, 127.0.0.1"], [b"198.51.100.7"], [b"https"]),
        ([b"127.0.0.1"], [b"127.0.0.1"], [b"http"]),
    ]
