# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""A file is read with its preset and the command line; every mistake has one message; and what was read can be shown."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.config import layers
from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import preset_names
from statusproxy.config.load import dump, load, loads
from statusproxy.config.settings import Settings
from statusproxy.config.state_url import STATE_ALLOWED
from tests.config.refusals import GATEWAY, refused

KNOWN = f"(known: {', '.join(field.encode_name for field in msgspec.structs.fields(Settings))})"
GATEWAY_ALLOWED = "http://host[:port][/base-path], https://host[:port][/base-path] or unix:/path"
LISTEN_ALLOWED = "host:port, [v6]:port, :port (every interface) or unix:/path"
DURATION_ALLOWED = "a duration such as 500ms, 60s, 2m, 1h or 1d (a bare number is seconds)"

MISTAKES = [
    ("gatewy: x", f'2: gatewy: unknown key; did you mean "gateway"? {KNOWN}'),
    ("zzz: 1", f"2: zzz: unknown key {KNOWN}"),
    (
        "webhooks:\n  - path: /a\n    forwad_to: http://h.example/",
        (
            '4: webhooks[0].forwad_to: unknown key; did you mean "forward_to"? '
            "(known: path, forward_to, forward, except, from, secret, hmac, jwt, token, spool)"
        ),
    ),
    (
        "webhooks:\n  - path: /a\n    S3cretT0ken: 1",
        "4: webhooks[0]: unknown key (known: path, forward_to, forward, except, from, secret, hmac, jwt, token, spool)",
    ),
    ("timeouts:\n  connect: soon", f'3: timeouts.connect: found "soon"; allowed: {DURATION_ALLOWED}'),
    ("timeouts: {connect: 0}", "2: timeouts.connect: found 0; allowed: at least 1ms"),
    ("timeouts: {connect: null}", f"2: timeouts.connect: found nothing (null); allowed: {DURATION_ALLOWED}"),
    (
        "timeouts:",
        (
            "2: timeouts: found nothing (null); allowed: a mapping of connect, request_head, request_body, response_head, "
            "response_body, keep_alive, upgrade_idle, min_rate_grace, drain_notice, drain; write {} for none, or remove the line"
        ),
    ),
    ("limits: {head: 12}", "2: limits.head: found 12; allowed: 1KiB to 1MiB"),
    ("limits: {min_rate: 0}", "2: limits.min_rate: found 0; allowed: 1 to 1MiB"),
    (
        "timeouts: {min_rate_grace: null}",
        (
            "2: timeouts.min_rate_grace: found nothing (null); allowed: a duration such as 500ms, 60s, 2m, 1h or 1d "
            "(a bare number is seconds)"
        ),
    ),
    ("limits: {headers: many}", '2: limits.headers: found "many"; allowed: a whole number from 8 to 10000'),
    ("limits: {headers: 2}", "2: limits.headers: found 2; allowed: a whole number from 8 to 10000"),
    ("limits: {per_client: 0}", "2: limits.per_client: found 0; allowed: a whole number from 1 to 1000000"),
    ("listen: 8090", f'2: listen: found 8090; allowed: {LISTEN_ALLOWED}; did you mean ":8090"?'),
    ("listen: null", f"2: listen: found nothing (null); allowed: {LISTEN_ALLOWED}; or a list of them"),
    ("listen: []", "2: listen: found an empty list; allowed: at least one entry"),
    (
        "trusted_proxies: [10.0.0.1/8]",
        (
            '2: trusted_proxies[0]: found "10.0.0.1/8"; allowed: a network such as 10.0.0.0/8 or fd00::/8, or one address; '
            'did you mean "10.0.0.0/8"?'
        ),
    ),
    (
        'webhooks: [{path: "/a/{name}"}]',
        '2: webhooks[0].path: found "/a/{name}"; allowed: {session}, and {_} for a secret, as the only placeholders',
    ),
    ("webhooks: [{}]", "2: webhooks[0].path: missing; write the path that events are posted to"),
    ("webhooks: {path: /a}", "2: webhooks: found a mapping; allowed: a list"),
    ("webhooks:", "2: webhooks: found nothing (null); allowed: a list; write [] for none, or remove the line"),
    (
        "webhooks: [{path: /a, secret: hunter2}]",
        "2: webhooks[0].secret: found a text; allowed: a mapping of header, value",
    ),
    (
        "webhooks: [{path: /a, secret: {header: X, value: [hunter2]}}]",
        "2: webhooks[0].secret.value: found a list; allowed: text",
    ),
    (
        "webhooks: [{path: /a, secret: {header: X, value: ''}}]",
        "2: webhooks[0].secret.value: found an empty secret; allowed: a text that others cannot guess",
    ),
    (
        'webhooks: [{path: /a, secret: {header: X, value: "hunter2\\n"}}]',
        "2: webhooks[0].secret.value: found a line break or another control character in it; allowed: one line of text",
    ),
    (
        "webhooks: [{path: /a, hmac: {header: X, secret: s, algorithm: sha265}}]",
        '2: webhooks[0].hmac.algorithm: found a text; allowed: sha256, sha1, sha512; did you mean "sha256"?',
    ),
    (
        "underscores_in_headers: off",
        '2: underscores_in_headers: found "off"; allowed: pass, drop',
    ),
    (
        "reconnect:\n  delete: DELETE /api/channels",
        (
            '3: reconnect.delete: found "DELETE /api/channels"; {session} must be in the path: '
            "nothing else says which session is meant"
        ),
    ),
    (
        "channels: [{path: /x}]",
        '2: channels[0].list: missing; write the fields that may hold the channels, such as [channels, data, ""]; one channel: [""]',
    ),
    (
        "preset: null\nchannels: [{path: /x, list: a}]",
        "3: channels[0].id: missing; write the fields that may hold a channel's id, such as [id, name]",
    ),
    (
        "channels: [{path: /x, list: a..b}]",
        '2: channels[0].list: found "a..b"; allowed: a field, or fields joined by dots, such as session.id',
    ),
    (
        "channels: [{path: /x, list: a, id: '', set: {a: b}}]",
        '2: channels[0].id: found ""; allowed: the name of a field, or names joined by dots',
    ),
    (
        "channels: [{path: /x, list: a, set: {}}]",
        "2: channels[0].set: found a mapping; allowed: a mapping such as {status: disconnected}, with at least one entry",
    ),
    (
        "preset: gateway_wrapper",
        (
            f'2: preset: found "gateway_wrapper"; allowed: {", ".join(preset_names())}, or a file such as ./mine.yaml, or null for none; '
            'did you mean "gateway-wrapper"?'
        ),
    ),
    ("presence: trsut", '2: presence: found "trsut"; allowed: ignore, trust; did you mean "trust"?'),
    ("log: {access: yes}", '2: log.access: found "yes"; allowed: true, false, json, combined; did you mean "true"?'),
    (
        "log: {access: combine}",
        '2: log.access: found "combine"; allowed: true, false, json, combined; did you mean "combined"?',
    ),
    ("log: {access: [json]}", "2: log.access: found a list; allowed: true, false, json, combined"),
    (
        "admin: {token: '${TOKEN}'}",
        "2: admin.token: the environment variable TOKEN is not set; set it, or write ${TOKEN:-default}",
    ),
    (
        "sessions: {releases: {aliv: false}}",
        (
            '2: sessions.releases.aliv: unknown key; did you mean "alive"? '
            "(known: connected-event, reconnected, deleted, alive, operator, expired)"
        ),
    ),
    ("sessions: {aliases: {'': a}}", '2: sessions.aliases[""]: found an empty key; allowed: a text that is not empty'),
    (
        "sessions: {aliases: {a: true}}",
        '2: sessions.aliases.a: found true; allowed: text; if it is a word, write it in quotes: "true"',
    ),
    (
        "state: {url: 'postgres://u:hunter2@h.example/db'}",
        (
            f'2: state.url: found "postgres://********"; allowed: {STATE_ALLOWED}; in a user or password, also one from a '
            "variable, write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, @ as %40, % as %25"
        ),
    ),
    (
        "tls: {certificate: /nowhere.pem}",
        "2: tls.key: missing; write the path of the PEM file that holds the certificate's private key",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_one_line_that_names_place_finding_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text) == f"config.yaml:{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"1: gateway: missing; write {GATEWAY_ALLOWED}, or give --gateway"),
        ("# a\nlisten: :80", f"2: gateway: missing; write {GATEWAY_ALLOWED}, or give --gateway"),
        ("gateway:", f"1: gateway: found nothing (null); allowed: {GATEWAY_ALLOWED}"),
        (
            "gateway: gw.example:3000",
            f'1: gateway: found "gw.example:3000"; allowed: {GATEWAY_ALLOWED}; did you mean "http://gw.example:3000"?',
        ),
        (
            "gateway: http://user:hunter2@gw.example/x",
            (
                '1: gateway: found "http://********@gw.example/x"; a user and password here are never sent; '
                'remove what is before "@": http://gw.example/x'
            ),
        ),
        (
            "gateway: http://user:hunter2@gw.example/9f8eS3cret/x",
            (
                '1: gateway: found "http://********@gw.example/********/x"; a user and password here are never sent; '
                'remove what is before "@": http://gw.example/…/x'
            ),
        ),
        ("[a]", "1: found a list; allowed: a mapping such as gateway: http://127.0.0.1:3000"),
        ("hunter2", "1: found a text; allowed: a mapping such as gateway: http://127.0.0.1:3000"),
    ],
)
def test_a_mistake_about_the_gateway_says_what_to_write(text: str, message: str) -> None:
    assert refused(text) == f"config.yaml:{message}"


def test_a_mistake_in_a_variable_names_the_line_where_the_variable_stands() -> None:
    assert refused(GATEWAY + "log:\n  level: ${LEVEL}", LEVEL="loud").startswith(
        'config.yaml:3: log.level: found "loud"'
    )


def settings_or_one_line(text: str) -> bool:
    """True when `text` gives settings, or an error of one line that can be printed."""
    try:
        return isinstance(loads(text), Settings)
    except ConfigError as error:
        return len(str(error).encode().splitlines()) == 1


@settings(deadline=None)
@given(st.text() | st.text("abgpw:[]{}&*!|>-?,'\"#%@`\n\t $\\<~0", max_size=40) | st.binary().map(repr))
def test_any_text_whatever_gives_settings_or_a_config_error(text: str) -> None:
    for document in (text, GATEWAY + text, f"{GATEWAY}sessions:\n  aliases:\n    {text}"):
        assert settings_or_one_line(document)


KEYS = st.sampled_from(
    [field.encode_name for field in msgspec.structs.fields(Settings)] + ["path", "secret", "header", "releases", "x"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["/a", "60s", "1k"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_structure_whatever_gives_settings_or_a_config_error(values: dict[str, object]) -> None:
    text = msgspec.yaml.encode({"gateway": "http://gw.example"} | values).decode()
    assert settings_or_one_line(text)


def test_a_number_may_come_from_the_environment_and_a_secret_stays_text() -> None:
    text = "limits: {headers: '${COUNT}'}\nsessions: {max_age: '${AGE:-null}'}\nadmin: {token: '${TOKEN}'}\n"
    settings = loads(GATEWAY + text, {"COUNT": "64", "TOKEN": "null"})
    assert (settings.limits.headers, settings.sessions.max_age, settings.admin.token) == (64, None, "null")


@pytest.mark.parametrize("token", ["12345", "true", "~", "1e3", "x: y", "${B}", "pa$$word", " x"])
def test_any_line_of_the_environment_can_be_a_secret(token: str) -> None:
    assert loads(GATEWAY + "admin: {token: '${TOKEN}'}", {"TOKEN": token}).admin.token == token


def test_an_empty_token_is_no_token() -> None:
    assert loads(GATEWAY + "admin: {token: '${TOKEN:-}'}").admin.token is None
    assert "no admin.token" in refused(GATEWAY + "admin: {listen: ':1', token: '${TOKEN:-}'}")


def test_settings_shown_are_the_same_settings_when_loaded_again() -> None:
    settings = loads(
        GATEWAY
        + """
listen: [":0", "[::1]:1", "unix:/run/x.sock"]
webhooks: [{path: /a, from: 10.1.2.3, forward_to: "https://hub.example/x"}, {path: /b, forward: false}]
sessions: {aliases: {"Sales $${Team}": "a$$$$b", "5": "6", "null": "x y"}, alive_grace: 1.5s, releases: {alive: false}}
channels:
  - {path: /c, list: "", set: {s: null, n: 1.5, t: "true", b: false, d: "$$"}, keep: ["on", "1"]}
timeouts: {upgrade_idle: null, connect: 250ms}
limits: {tap: 1500000}
"""
    )
    assert loads(dump(settings)) == settings


def test_settings_without_a_preset_are_the_same_when_loaded_again() -> None:
    settings = loads(GATEWAY + "preset: null")
    assert (settings.webhooks, settings.events, settings.channels) == ((), (), ())
    assert loads(dump(settings)) == settings


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 256 * 1024**2),
        ("state: {url: 'memory:'}", 256 * 1024**2),
        ("state: {url: 'redis://redis.example/0'}", 64 * 1024**2),
        ("state: {url: 'redis+sentinel://s1.example/0?master=one'}\nspool: {max_age: 1h}", 64 * 1024**2),
        ("state: {url: 'redis://redis.example/0'}\nspool: {max_bytes: 300MiB}", 300 * 1024**2),
        ("state: {url: 'redis://redis.example/0'}\nspool: {max_bytes: 256MiB}", 256 * 1024**2),
    ],
)
def test_the_spool_is_smaller_where_it_lies_in_a_servers_memory_unless_the_file_says_its_size(
    text: str, size: int
) -> None:
    settings = loads(f"gateway: http://gateway.example\n{text}")
    assert settings.spool.max_bytes == size
    assert loads(dump(settings)).spool == settings.spool


def test_the_command_line_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(GATEWAY + "listen: :1\nlog: {level: debug, access: true}\n")
    settings = load(file, {"log.format": "json"}, {}, listen=[":2", ":3"], gateway="http://other.example/")
    assert settings.listen == (Address("", 2), Address("", 3))
    assert settings.gateway == "http://other.example"
    assert (settings.log.format, settings.log.level, settings.log.access) == ("json", "debug", True)


def test_a_mistake_on_the_command_line_names_its_option(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(GATEWAY)
    with pytest.raises(ConfigError) as caught:
        load(file, {"log.format": "jsn"}, {})
    assert str(caught.value) == '--log-format: found "jsn"; allowed: auto, text, json; did you mean "json"?'
    with pytest.raises(ConfigError, match=r"^--listen: found "):
        load(file, None, {}, listen=["x"])


def test_no_file_at_all_is_fine_when_the_gateway_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "SEARCHED", (Path("/nowhere/config.yaml"),))
    assert load(None, None, {}, gateway="http://gw.example:3000") == loads(GATEWAY)
    with pytest.raises(ConfigError) as caught:
        load(None, None, {})
    assert str(caught.value) == (
        "no configuration file found (looked at $STATUSPROXY_CONFIG, /nowhere/config.yaml); write one, or give --gateway"
    )


def test_without_arguments_the_process_environment_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("gateway: ${GW}")
    monkeypatch.setenv("STATUSPROXY_CONFIG", str(file))
    monkeypatch.setenv("GW", "http://gw.example:3000")
    assert load() == loads(GATEWAY)
