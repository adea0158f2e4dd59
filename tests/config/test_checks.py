# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""What the keys of a block must be together: what contradicts itself or can have no effect is refused, with the fix."""

from pathlib import Path

import pytest

from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.load import load, loads
from statusproxy.config.settings import Settings
from tests.config.refusals import GATEWAY, refused

CHANNELS = "channels:\n  - path: /a\n    list: [x]\n    id: [i]\n"
FIELD = "allowed: a field, or fields joined by dots, such as session.id"
ARRAY = f"{FIELD}; no path leads into an array, so that a number, [] or * never matches"
WORDS = "allowed: whole words; a * stands for nothing here, so write each word out, as a list"

MISTAKES = [
    (
        "limits: {upstream_connections: 8, reserved: 8}",
        (
            "2: limits.reserved: found 8, and upstream_connections is 8; allowed: fewer than that, so that other requests "
            "have places too"
        ),
    ),
    ("listen: [':80', ':80']", '2: listen: found ":80" twice; allowed: each address once'),
    (
        "webhooks:\n- {path: /a}\n- {path: /A/}",
        '4: webhooks[1].path: found "/A/"; webhooks[0] has the same path; allowed: each path once',
    ),
    (
        "webhooks:\n- path: /a\n  forward: false\n  forward_to: http://h.example",
        (
            "4: webhooks[0].forward: found false beside forward_to; "
            "allowed: forward_to (events go there) or forward: false (a tap)"
        ),
    ),
    (
        'webhooks: [{path: /a, forward_to: "http://h.example/{session}"}]',
        "2: webhooks[0].forward_to: {session} stands here, but not in path; allowed: in both, or in path alone",
    ),
    (
        'webhooks: [{path: "/a/{session}", forward_to: "http://h.example/x{session}"}]',
        "2: webhooks[0].forward_to: allowed: {session} once, as a whole segment of the path",
    ),
    (
        'webhooks: [{path: "/a/{session}", forward_to: "http://h.example/{session}?s={session}"}]',
        "2: webhooks[0].forward_to: allowed: {session} once, as a whole segment of the path",
    ),
    (
        "underscores_in_headers: drop\nwebhooks:\n  - path: /a\n    secret: {header: X_Secret, value: s}",
        (
            "5: webhooks[0].secret.header: found a name with _; underscores_in_headers: drop removes this field, so no event "
            "would be trusted; allowed: a name without _, or underscores_in_headers: pass"
        ),
    ),
    (
        "underscores_in_headers: drop\nwebhooks:\n  - path: /a\n  - {path: /b, hmac: {header: X_S, secret: s}}",
        (
            "5: webhooks[1].hmac.header: found a name with _; underscores_in_headers: drop removes this field, so no event "
            "would be trusted; allowed: a name without _, or underscores_in_headers: pass"
        ),
    ),
    (
        "reconnect: {create: POST /api/channels, body: []}",
        '2: reconnect.body: found an empty list, and "POST /api/channels" has no {session}; allowed: one of the two',
    ),
    (
        "channels: [{path: /x, list: a, keep: [Open]}]",
        "2: channels[0].keep: found open, which connected lists too; allowed: words that tell more than disconnected",
    ),
    (
        "admin:\n  listen: 0.0.0.0:8091",
        (
            '3: admin.listen: found "0.0.0.0:8091", which other machines may reach, and no admin.token; session states and '
            "the release button are private: write 127.0.0.1 or unix:/path, or set admin.token"
        ),
    ),
    (
        "admin: {listen: 0.0.0.0:8090, token: x}",
        (
            '2: admin.listen: admin.listen "0.0.0.0:8090" and listen "0.0.0.0:8090" are the same port; '
            "give admin.listen another"
        ),
    ),
    *(
        (
            f"listen: '{listen}'",
            f'2: listen: admin.listen "127.0.0.1:8091" and listen "{listen}" are the same port; give admin.listen another',
        )
        for listen in ("127.0.0.1:8091", "0.0.0.0:8091", ":8091", "localhost:8091")
    ),
    (
        "listen: ['0.0.0.0:9000', '127.0.0.1:9000']",
        '2: listen: found "0.0.0.0:9000" and "127.0.0.1:9000", of which only one can be opened',
    ),
    (
        "tls: {certificate: /nowhere.pem, key: /nowhere.key}",
        "2: tls.certificate: the file cannot be read: No such file or directory; allowed: the path of a PEM file",
    ),
    (
        "gateway_tls: {ca: /nowhere.pem}",
        "2: gateway_tls.ca: the file cannot be read: No such file or directory; allowed: the path of a PEM file",
    ),
    (
        "gateway_tls: {certificate: /a}",
        "2: gateway_tls.certificate: found without gateway_tls.key; allowed: both, or neither",
    ),
    ("gateway_tls: {key: /a}", "2: gateway_tls.key: found without gateway_tls.certificate; allowed: both, or neither"),
    (
        "events: [{event: a, session: b}]",
        "2: events[0]: this rule can never say anything; allowed: means, or state with disconnected or connected",
    ),
    (
        "events: [{event: a, session: b, means: alive, state: c}]",
        "2: events[0].means: found beside state, disconnected or connected; allowed: means alone, or those without means",
    ),
    (
        "events: [{event: a, session: b, state: c, disconnected: [open], connected: [Open]}]",
        "2: events[0].connected: found open in disconnected too; allowed: each word once",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_one_line_that_names_place_finding_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text) == f"config.yaml:{message}"


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
        ("channels: [{path: '/api/channels?x=1'}]", '2: channels[0].path: found "/api/channels?x=********"; allowed: a path such as /api/channels or /api/channels/{session}, without a query; did you mean "/api/channels"?'),
        ("channels: [{path: '/api/{name}'}]", '2: channels[0].path: found "/api/{name}"; allowed: {session} as the only placeholder'),
        ("webhooks: [{path: /api/channels, forward: false}]", "2: webhooks[0]: it takes the requests of /api/channels, which the preset has in channels; allowed: another path, or preset_without: [/api/channels]"),
        ("webhooks:\n  - {path: /x}\n  - {path: '/v1/webhooks/{session}'}", "4: webhooks[1]: it takes the requests of /v1/webhooks/receive, which the preset has in webhooks; allowed: another path, an entry /v1/webhooks/receive before this one, or preset_without: [/v1/webhooks/receive]"),
        ("channels: [{path: '/api/{session}', list: [x]}]", "2: channels[0]: it takes the requests of /api/channels, which the preset has in channels; allowed: another path, or preset_without: [/api/channels]"),
        ("webhooks: [{path: '/api/channels/{session}', forward: false}]", "2: webhooks[0]: it takes the requests of /api/channels/{session}, which the preset has in channels; allowed: another path, or preset_without: [/api/channels/{session}]"),
        ("webhooks: [{path: /hub, forward_to: http://127.0.0.1:8090/hub}]", '2: webhooks[0].forward_to: found "http://127.0.0.1:8090/hub"; listen has it too, so that events would come back here; allowed: the receiver\'s address'),
        ("webhooks: [{path: /hub, forward_to: http://localhost:8091/hub}]", '2: webhooks[0].forward_to: found "http://localhost:8091/hub"; it is admin.listen, which takes no events; allowed: the receiver\'s address'),
        ("webhooks: [{path: '/api/channels/{session}/qr', forward: false}]", "2: webhooks[0]: it takes the requests of /api/channels/{session}/qr, which the preset has in reconnect.qr; allowed: another path, or reconnect.qr of your own"),
        ("webhooks: [{path: '/api/channels/{session}/start-session', forward: false}]", "2: webhooks[0]: it takes the requests of /api/channels/{session}/start-session, which the preset has in reconnect.create; allowed: another path, or reconnect.create of your own"),
        ("webhooks: [{path: '/{session}/', forward: false}]", '2: webhooks[0].path: found "/{session}/"; a tap takes every path of one segment here, also those of the gateway; allowed: a name before it, such as /tap/{session}'),
        ("channels: [{path: /x, list: [x], set: {id: disconnected}}]", "2: channels[0].set.id: id lists this field too, and a channel's id is never changed; allowed: a field that holds a status"),
        ("channels: [{path: /x, list: [x], id: [name], set: {status: off, name: y}}]", "2: channels[0].set.name: id lists this field too, and a channel's id is never changed; allowed: a field that holds a status"),
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
        f"{CHANNELS}    set: {{Id: gone}}",  # JSON tells names apart by case, so that Id is another field than id
        "webhooks: [{path: /hub, forward_to: http://127.0.0.1:8091/hub}]\nadmin: {listen: null}",
        "webhooks: [{path: '/{session}'}]",
        "webhooks: [{path: '/api/channels/{session}/start-session'}]",  # forwarded: the route still does its work
        "admin: {token: '${EMPTY:-}'}",
    ],
)
def test_what_may_have_an_effect_is_accepted(text: str) -> None:
    assert read(text).gateway == "http://gw.example"


def test_tls_of_the_gateway_may_stay_where_the_command_line_names_another_one(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: https://gw.example\ngateway_tls: {server_name: gw.example}\n")
    assert load(file, gateway="http://gw.example").gateway == "http://gw.example"


def test_a_listener_that_others_reach_is_fine_with_a_token() -> None:
    assert loads(GATEWAY + "admin: {listen: ':8091', token: x}").admin.listen == Address("", 8091)


def test_a_session_in_the_path_may_be_passed_on_in_the_receivers_path() -> None:
    (webhook,) = loads(
        GATEWAY + 'preset: null\nwebhooks: [{path: "/a/{session}", forward_to: "http://h.example/x/{session}"}]'
    ).webhooks
    assert webhook.forward_to == "http://h.example/x/{session}"


def test_several_addresses_that_differ_are_fine() -> None:
    assert len(loads(GATEWAY + "listen: [':80', ':81', 'unix:/run/x.sock']").listen) == 3


@pytest.mark.parametrize("host", ["h.example", "h"])
def test_a_field_without_an_underscore_is_fine_where_they_are_dropped(host: str) -> None:
    text = f"underscores_in_headers: drop\nwebhooks: [{{path: /a, secret: {{header: {host}, value: s}}}}]"
    assert loads(GATEWAY + text).underscores_in_headers == "drop"


def test_a_few_places_may_be_reserved() -> None:
    assert loads(GATEWAY + "limits: {upstream_connections: 8, reserved: 7}").limits.places_reserved == 7


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_certificate_and_key_of_the_gateways_tls_are_both_looked_at(tmp_path: Path, missing: str) -> None:
    files = {"certificate": tmp_path / "c.pem", "key": tmp_path / "c.key"}
    for name, file in files.items():
        if name != missing:
            file.touch()
    written = ", ".join(f"{name}: {file}" for name, file in files.items())
    with pytest.raises(ConfigError, match=rf"gateway_tls\.{missing}: the file cannot be read"):
        loads(f"gateway: https://gw.example\ngateway_tls: {{{written}}}")


def test_a_path_of_the_preset_before_one_that_would_take_its_requests_is_fine() -> None:
    text = "webhooks:\n  - {path: /v1/webhooks/receive}\n  - {path: '/v1/webhooks/{session}'}"
    assert [each.path for each in loads(GATEWAY + text).webhooks] == ["/v1/webhooks/receive", "/v1/webhooks/{session}"]


def test_a_path_of_the_preset_that_was_left_out_may_be_taken() -> None:
    text = "preset_without: /api/channels\nwebhooks: [{path: /api/channels, forward: false}]"
    assert loads(GATEWAY + text).webhooks[0].path == "/api/channels"
