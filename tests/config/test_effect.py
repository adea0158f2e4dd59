# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Configuration that can have no effect is refused, with the line, the key and the fix."""

from pathlib import Path

import pytest

from statusproxy.config.addresses import parse_address, parse_gateway
from statusproxy.config.effect import check_field_path, check_set_value, check_word, leads_back, never_reached
from statusproxy.config.errors import ConfigError
from statusproxy.config.load import load, loads
from statusproxy.config.settings import Settings

CHANNELS = "channels:\n  - path: /a\n    list: [x]\n    id: [i]\n"
FIELD = "allowed: a field, or fields joined by dots, such as session.id"
ARRAY = f"{FIELD}; no path leads into an array, so that a number, [] or * never matches"
WORDS = "allowed: whole words; a * stands for nothing here, so write each word out, as a list"


def read(text: str) -> Settings:
    return loads(f"gateway: http://gw.example\n{text}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{CHANNELS}    set: {{instance.status: close}}",
            (
                '6: channels[0].set["instance.status"]: allowed: a field that stands in the channel itself, such as '
                "status; set does not lead into other objects, so that a name with a dot never matches"
            ),
        ),
        (
            f"{CHANNELS}    set: {{status: $closed}}",
            (
                '6: channels[0].set.status: found "$closed"; this is written as it stands, for it is no variable; '
                "allowed: ${VAR}, or the word itself"
            ),
        ),
        (
            f"{CHANNELS}    set:\n      status: $${{closed}}",
            (
                '7: channels[0].set.status: found "${closed}"; this is written as it stands, for it is no variable; '
                "allowed: ${VAR}, or the word itself"
            ),
        ),
        (
            f"{CHANNELS}    set: {{status: Open}}",
            (
                '6: channels[0].set.status: found "Open"; connected lists this word too, so that a lost session would '
                "read connected; allowed: another word"
            ),
        ),
        (f"{CHANNELS}    set: {{}}", "6: channels[0].set: found a mapping; allowed: a mapping such as {status: disconnected}, with at least one entry"),
        (f"{CHANNELS}    set: {{s: x}}\n    keep: ['*']", f'7: channels[0].keep[0]: found "*"; {WORDS}'),
        ("channels:\n  - path: /a\n    list: [data.0]\n    id: [i]", f'4: channels[0].list[0]: found "data.0"; {ARRAY}'),
        ("channels:\n  - path: /a\n    list: [x]\n    id: [0]", f"5: channels[0].id[0]: found 0; {ARRAY}"),
        ("channels:\n  - path: /a\n    list: [x]\n    id: ['']", '5: channels[0].id[0]: found ""; allowed: the name of a field, or names joined by dots'),
        ("channels:\n  - path: /a/*\n    list: [x]", '3: channels[0].path: found "/a/*"; allowed: a path such as /api/channels or /api/channels/{session}; a * stands for nothing here, so write the whole path (a * in the path itself: %2A)'),
        ("channels:\n  - path: /a/:session\n    list: [x]", '3: channels[0].path: found "/a/:session"; allowed: a path such as /api/channels or /api/channels/{session}; a placeholder is written {session}'),
        ("webhooks:\n  - path: /hook/*", '3: webhooks[0].path: found "/hook/*"; allowed: a path such as /api/channels or /api/channels/{session}; a * stands for nothing here, so write the whole path (a * in the path itself: %2A)'),
        ("webhooks:\n  - path: /a\n    from: []", "4: webhooks[0].from: found an empty list, so that no event here is ever trusted; allowed: networks of the senders, or no from for private networks"),
        ("webhooks:\n  - path: /a\n    secret: {header: X-S, value: v}\n    hmac: {header: x-s, secret: s}", "5: webhooks[0].hmac.header: found the header of secret, which cannot hold both, so that no event is ever trusted; allowed: another header"),
        ("events:\n  - event: '*'\n    session: s", f'3: events[0].event: found "*"; {WORDS}'),
        ("events:\n  - event: [a, connection.*]\n    session: s", f'3: events[0].event[1]: found "connection.*"; {WORDS}'),
        ("events:\n  - event: a\n    session: items[0].session", f'4: events[0].session: found "items[0].session"; {ARRAY}'),
        ("events:\n  - event: a\n    session: $.session", f'4: events[0].session: found "$.session"; {FIELD}; a path begins with a field, not with $'),
        ("events:\n  - event: [a, b]\n    session: s\n    means: alive\n    unless: [B]", "6: events[0].unless: found b, which event lists too, so that the rule never says anything about it; allowed: events other than the rule's own"),
        ("sessions:\n  aliases:\n    sales: sales", "4: sessions.aliases.sales: found an alias of an id onto itself; allowed: event id: channel id, where they differ"),
        ("sessions:\n  max_age: 1h\n  releases: {expired: false}", "3: sessions.max_age: found beside releases.expired: false, so that nothing ever expires; allowed: one of the two"),
        ("reconnect:\n  body: [data.0.id]", f'3: reconnect.body[0]: found "data.0.id"; {ARRAY}'),
        ("reconnect:\n  create: [POST /a/{session}, POST /a/b]", "3: reconnect.create[1]: it gets no request, since reconnect.create takes them first; allowed: routes that differ"),
        ("reconnect:\n  qr: GET /api/channels/{session}\nchannels:\n  - {path: '/api/channels/{session}', list: [x]}", "3: reconnect.qr: it gets no request, since channels[0] takes them first; allowed: routes that differ"),
        ("reconnect:\n  create:\n    - POST /hook\n  body: [id]\nwebhooks:\n  - path: /Hook/", "4: reconnect.create[0]: it gets no request, since webhooks[0] takes them first; allowed: routes that differ"),
        ("channels:\n  - {path: '/api/{session}', list: [x]}\n  - {path: /api/sessions, list: [x]}", "4: channels[1]: it gets no request, since channels[0] takes them first; allowed: routes that differ"),
        ("webhooks:\n  - {path: /tap, forward: false}\nchannels:\n  - {path: /tap, list: [x]}", "5: channels[0]: it gets no request, since webhooks[0] takes them first; allowed: routes that differ"),
        ("listen: :3000\ngateway: http://127.0.0.1:3000", '3: gateway: found "http://127.0.0.1:3000"; listen has it too, so that requests would come back here; allowed: the gateway\'s own address'),
        ("gateway_tls:\n  server_name: gw.example", "3: gateway_tls.server_name: found beside a gateway that is no https:// one, so that it has no effect; allowed: gateway: https://…, or no gateway_tls.server_name"),
        ("admin: {token: 'x '}", "2: admin.token: found a space at the end, which no header carries, so that nobody is let in; allowed: a token without it"),
        ("webhooks: [{path: /a, secret: {header: X-S, value: ' x'}}]", "2: webhooks[0].secret.value: found a space at the beginning or the end, which no header carries, so that no event is ever trusted; allowed: a secret without it"),
        ("gateway_tls: {server_name: a b}", '2: gateway_tls.server_name: found a text; allowed: a host\'s name, such as gw.example, or its address'),
        ('state: {journal: "a\\0b"}', "2: state.journal: found a text; allowed: a path, in one line of text"),
        ("admin: {token: '${EMPTY}'}", "2: admin.token: found an empty secret; allowed: a text that others cannot guess"),
        ("admin: {token: $ADMIN_TOKEN}", "2: admin.token: found $ and a name without braces; allowed: ${VAR} for a variable, or $$ for a dollar"),
    ],
)  # fmt: skip
def test_what_can_have_no_effect_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    written = text if "gateway: http" in text else f"gateway: http://gw.example\n{text}"
    lines = 0 if written is not text else 1
    with pytest.raises(ConfigError) as caught:
        loads("#\n" * lines + written, {"EMPTY": ""})
    assert str(caught.value) == f"config.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "webhooks: [{path: /a, from: [], forward_to: 'http://hub.example/'}]",  # routes, and trusts nobody
        "webhooks: [{path: /a/%2A}]",
        "webhooks: [{path: /v1/x:y}]",
        "sessions: {aliases: {Sales: sales}}",  # tells two channels apart that fold to the same
        "sessions: {releases: {expired: false}}",
        "reconnect: {create: [POST /a, PUT /a], body: [id]}",
        "reconnect: {create: ['POST /a/b', 'POST /a/{session}'], body: [id]}",
        "webhooks: [{path: /api/channels}]",  # takes requests of the preset's `create`, which is not the user's to correct
        f"{CHANNELS}    set: {{status: '$', price: $$5, connected: false, note: null}}",
        "gateway_tls: {verify: true}",
        "admin: {token: '${EMPTY:-}'}",
    ],
)
def test_what_may_have_an_effect_is_accepted(text: str) -> None:
    assert read(text).gateway == "http://gw.example"


def test_tls_of_the_gateway_may_stay_where_the_command_line_names_another_one(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: https://gw.example\ngateway_tls: {server_name: gw.example}\n")
    assert load(file, gateway="http://gw.example").gateway == "http://gw.example"


@pytest.mark.parametrize("path", ["0", "a.1.b", "a[0].b", "a[].b", "a[*]", "*", "a.*.b"])
def test_a_path_into_an_array_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path leads into an array"):
        check_field_path(path)


@pytest.mark.parametrize("path", ["", "a", "a.b", "a1.2b", "a-b.$c", "a[b]", "ação"])
def test_a_path_through_objects_is_kept(path: str) -> None:
    assert check_field_path(path) == path


@pytest.mark.parametrize("value", ["$x", "${x}", "${x:-y}", "$X_1"])
def test_a_value_that_looks_like_a_variable_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="it is no variable"):
        check_set_value(value)


@pytest.mark.parametrize("value", ["$", "$5", "a$b", "a ${b}", "", None, True, 1])
def test_a_value_that_only_holds_a_dollar_is_kept(value: object) -> None:
    check_set_value(value)


def test_a_word_without_a_star_is_kept() -> None:
    assert check_word("connection.update") == "connection.update"


def test_the_first_route_that_takes_all_requests_of_a_later_one_is_named() -> None:
    get, both = frozenset({"GET"}), frozenset({"GET", "HEAD"})
    routes = [
        (get, "/a"),
        (both, "/a"),
        (get, "/A/"),
        (both, "/{session}/b"),
        (get, "/x/B"),
        (get, "/x%2Fb/b"),
        (get, "/x/c"),
    ]
    assert list(never_reached(routes)) == [(2, 0), (4, 3), (5, 3)]


@pytest.mark.parametrize(
    ("gateway", "listen", "back"),
    [
        ("http://127.0.0.1:3000", ":3000", True),
        ("http://127.0.0.1:3000", "0.0.0.0:3000", True),
        ("http://127.0.0.1:3000", "127.0.0.1:3000", True),
        ("http://[::1]:3000", "[::]:3000", True),
        ("http://localhost:3000", ":3000", True),
        ("http://gw.example", "gw.example:80", True),
        ("unix:/run/gw.sock", "unix:/run/gw.sock", True),
        ("http://127.0.0.1:3000", ":3001", False),
        ("http://127.0.0.1:3000", "127.0.0.2:3000", False),
        ("http://[::1]:3000", "0.0.0.0:3000", False),
        ("http://localhost:3000", "0.0.0.0:3000", False),  # the gateway may listen on [::1]
        ("http://gw.example:3000", ":3000", False),
        ("unix:/run/gw.sock", ":80", False),
        ("http://127.0.0.1:80", "unix:/run/x.sock", False),
    ],
)
def test_a_gateway_that_is_this_proxy_itself_is_known(gateway: str, listen: str, back: bool) -> None:
    assert leads_back(parse_gateway(gateway), [parse_address(listen)]) is back
