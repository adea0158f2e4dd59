# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""The configuration file: defaults, presets, every mistake's one message, and the settings shown again."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.config import layers
from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, load, loads
from statusproxy.config.reader import MASK
from statusproxy.config.settings import Settings
from statusproxy.status.dialect import OWN
from statusproxy.status.sessions import Release
from statusproxy.status.signals import Kind, read

ROOT = Path(__file__).parents[2]
GATEWAY = "gateway: http://gw.example:3000\n"
SECRETS = """
webhooks:
  - path: /a
    forward_to: https://hub.example/hook?key=hidden-1
    secret: {header: X-Webhook-Secret, value: hidden-2}
    hmac: {header: X-Signature, secret: hidden-3, prefix: "sha256="}
state: {url: "redis://user:hidden-4@cache.example:6379/0"}
admin: {listen: "0.0.0.0:8091", token: hidden-5}
"""


def refused(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads(text, environ)
    return str(caught.value)


KNOWN = (
    "(known: listen, listen_mode, gateway, preset, preset_without, host, language, webhooks, events, presence, dialect, sessions, channels, reconnect, "
    "trusted_proxies, underscores_in_headers, state, admin, timeouts, limits, tls, gateway_tls, log)"
)
GATEWAY_ALLOWED = "http://host[:port][/base-path], https://host[:port][/base-path] or unix:/path"
LISTEN_ALLOWED = "host:port, [v6]:port, :port (every interface) or unix:/path"
DURATION_ALLOWED = "a duration such as 500ms, 60s, 2m, 1h or 1d (a bare number is seconds)"

MISTAKES_AFTER_THE_GATEWAY = [
    ("gatewy: x", f'2: gatewy: unknown key; did you mean "gateway"? {KNOWN}'),
    ("zzz: 1", f"2: zzz: unknown key {KNOWN}"),
    (
        "webhooks:\n  - path: /a\n    forwad_to: http://h.example/",
        (
            '4: webhooks[0].forwad_to: unknown key; did you mean "forward_to"? '
            "(known: path, forward_to, forward, from, secret, hmac)"
        ),
    ),
    ("timeouts:\n  connect: soon", f'3: timeouts.connect: found "soon"; allowed: {DURATION_ALLOWED}'),
    ("timeouts: {connect: 0}", "2: timeouts.connect: found 0; allowed: at least 1ms"),
    ("timeouts: {connect: null}", f"2: timeouts.connect: found nothing (null); allowed: {DURATION_ALLOWED}"),
    (
        "timeouts:",
        (
            "2: timeouts: found nothing (null); allowed: a mapping of connect, request_head, request_body, response_head, "
            "response_body, keep_alive, upgrade_idle, min_rate_grace, drain; write {} for none, or remove the line"
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
    (
        "limits: {upstream_connections: 8, reserved: 8}",
        (
            "2: limits.reserved: found 8, and upstream_connections is 8; allowed: fewer than that, so that other requests "
            "have places too"
        ),
    ),
    ("limits: {per_client: 0}", "2: limits.per_client: found 0; allowed: a whole number from 1 to 1000000"),
    ("listen: 8090", f'2: listen: found 8090; allowed: {LISTEN_ALLOWED}; did you mean ":8090"?'),
    ("listen: null", f"2: listen: found nothing (null); allowed: {LISTEN_ALLOWED}; or a list of them"),
    ("listen: []", "2: listen: found an empty list; allowed: at least one entry"),
    ("listen: [':80', ':80']", '2: listen: found ":80" twice; allowed: each address once'),
    (
        "trusted_proxies: [10.0.0.1/8]",
        (
            '2: trusted_proxies[0]: found "10.0.0.1/8"; allowed: a network such as 10.0.0.0/8 or fd00::/8, or one address; '
            'did you mean "10.0.0.0/8"?'
        ),
    ),
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
        'webhooks: [{path: "/a/{name}"}]',
        '2: webhooks[0].path: found "/a/{name}"; allowed: {session} as the only placeholder',
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
        "reconnect:\n  delete: DELETE /api/channels",
        (
            '3: reconnect.delete: found "DELETE /api/channels"; {session} has to stand in the path, '
            "for nothing else says which session is meant"
        ),
    ),
    (
        "reconnect: {create: POST /api/channels, body: []}",
        '2: reconnect.body: found an empty list, and "POST /api/channels" has no {session}; allowed: one of the two',
    ),
    (
        "channels: [{path: /x}]",
        '2: channels[0].list: missing; write the fields that may hold the channels, such as [channels, data, ""]',
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
        "channels: [{path: /x, list: a, keep: [Open]}]",
        "2: channels[0].keep: found open, which connected lists too; allowed: words that tell more than disconnected",
    ),
    (
        "preset: gateway_wrapper",
        '2: preset: found "gateway_wrapper"; allowed: gateway-wrapper, or null for none; did you mean "gateway-wrapper"?',
    ),
    ("presence: trsut", '2: presence: found "trsut"; allowed: ignore, trust; did you mean "trust"?'),
    ("log: {access: yes}", '2: log.access: found "yes"; allowed: true, false, json, combined; did you mean "true"?'),
    (
        "log: {access: combine}",
        '2: log.access: found "combine"; allowed: true, false, json, combined; did you mean "combined"?',
    ),
    ("log: {access: [json]}", "2: log.access: found a list; allowed: true, false, json, combined"),
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
        "admin: {token: '${TOKEN}'}",
        "2: admin.token: the environment variable TOKEN is not set; set it, or write ${TOKEN:-default}",
    ),
    (
        "sessions: {releases: {aliv: false}}",
        (
            '2: sessions.releases: unknown key; did you mean "alive"? '
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
            '2: state.url: found "postgres://********"; allowed: memory:, sqlite:///path or '
            "redis://[[user]:password@]host[:6379][/0] (rediss:// for TLS); in a user or password, also one from a "
            "variable, write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, @ as %40, % as %25"
        ),
    ),
    (
        "tls: {certificate: /nowhere.pem}",
        "2: tls.key: missing; write the path of the PEM file that holds the certificate's private key",
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


@pytest.mark.parametrize(("text", "message"), MISTAKES_AFTER_THE_GATEWAY)
def test_a_mistake_is_one_line_that_names_place_finding_and_mend(text: str, message: str) -> None:
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
                'remove what stands before "@": http://gw.example/x'
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


def test_everything_but_the_gateway_has_a_default() -> None:
    settings = loads(GATEWAY)
    assert settings.listen == (Address("0.0.0.0", 8090),)
    assert settings.preset == "gateway-wrapper"
    assert (settings.host, settings.presence, settings.state.url) == ("preserve", "ignore", "sqlite:///state.db")
    assert settings.admin.listen == Address("127.0.0.1", 8091)
    assert settings.sessions.alive_grace == 60
    assert settings.timeouts.response_head == 120
    assert settings.limits.head == 32768
    assert settings.limits.body is None
    assert settings.tls is None


@pytest.mark.parametrize(
    ("limits", "reserved", "per_client"),
    [
        ("{}", 64, 384),
        ("{upstream_connections: 9}", 1, 7),
        ("{upstream_connections: 1}", 0, 1),
        ("{upstream_connections: 8, reserved: 0, per_client: 8}", 0, 8),
        ("{reserved: null, per_client: null}", 64, 384),
    ],
)
def test_an_eighth_of_the_places_is_reserved_and_a_client_has_three_quarters_unless_said_otherwise(
    limits: str, reserved: int, per_client: int
) -> None:
    found = loads(GATEWAY + f"limits: {limits}").limits
    assert (found.places_reserved, found.places_per_client) == (reserved, per_client)


def test_the_shipped_file_works_and_says_nothing_but_the_defaults() -> None:
    assert load(ROOT / "config.yaml", environ={}) == loads("gateway: http://127.0.0.1:3000")


def test_what_the_shipped_file_comments_out_are_the_defaults_too() -> None:
    text = (ROOT / "config.yaml").read_text()
    lines = text.partition("# events, channels and reconnect: see")[0].splitlines()
    keys = {field.encode_name for field in msgspec.structs.fields(Settings)} - {"tls"}
    shown: list[str] = []
    inside = False
    for line in lines:
        bare = line.removeprefix("# ")
        inside = line.startswith("#") and (bare.split(":")[0] in keys or (inside and bare.startswith("  ")))
        shown.append(bare if inside else line)
    uncommented = loads("\n".join(shown))
    assert uncommented == loads("gateway: http://127.0.0.1:3000")
    assert {line.split(":")[0] for line in shown if line and line[0].isalpha()} >= keys - {
        "events",
        "channels",
        "reconnect",
    }


def test_the_designs_own_words_are_taken_as_they_stand() -> None:
    settings = loads(
        """
gateway: http://127.0.0.1:3000
reconnect:                        # what passing through shows that the gateway has caught up
  delete: DELETE /api/channels/{session}
  create: [POST /api/channels, POST /api/channels/{session}/start-session]   # id from path, or body `channel`
  qr: GET /api/channels/{session}/qr
state:
  url: sqlite:///state.db         # memory: · sqlite:///path · redis://host:6379/0
sessions:
  aliases: {}
  alive_grace: 60s
  max_age: null
"""
    )
    assert settings == loads("gateway: http://127.0.0.1:3000")


def test_settings_are_equal_when_their_values_are() -> None:
    assert loads(GATEWAY) == loads(
        GATEWAY + "timeouts: {connect: 5000ms}\nsessions: {alive_grace: 1m}\nlisten: [0.0.0.0:8090]"
    )
    assert loads(GATEWAY) != loads(GATEWAY + "timeouts: {connect: 6s}")


def test_null_turns_a_thing_off_where_it_can_be_off() -> None:
    settings = loads(GATEWAY + "admin: {listen: null}\ntimeouts: {response_head: null}\nsessions: {history_days: null}")
    assert (settings.admin.listen, settings.timeouts.response_head, settings.sessions.history_days) == (
        None,
        None,
        None,
    )


def test_admin_null_turns_the_admin_listener_off() -> None:
    assert loads(GATEWAY + "admin: null").admin.listen is None
    assert loads(dump(loads(GATEWAY + "admin: null"))) == loads(GATEWAY + "admin: null")


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


def test_a_listener_that_others_reach_is_fine_with_a_token() -> None:
    assert loads(GATEWAY + "admin: {listen: ':8091', token: x}").admin.listen == Address("", 8091)


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


def test_no_secret_is_ever_shown() -> None:
    settings = loads(GATEWAY + SECRETS)
    shown = dump(settings)
    assert "hidden" not in shown
    assert "hidden" not in repr(settings)
    again = loads(shown)
    assert again.admin.token == MASK
    assert again.state.url == f"redis://user:{MASK}@cache.example:6379/0"
    assert again.webhooks[0].forward_to == f"https://hub.example/hook?key={MASK}"
    assert again.webhooks[0].secret is not None
    assert again.webhooks[0].secret.value == MASK


def test_settings_are_shown_in_the_order_of_the_documentation() -> None:
    top = [line.split(":")[0] for line in dump(loads(GATEWAY)).splitlines() if line[0].isalpha()]
    assert top == [field.encode_name for field in msgspec.structs.fields(Settings)]


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


def test_the_presets_rules_read_the_events_they_were_written_for() -> None:
    rules = loads(GATEWAY).signal_rules()
    assert rules.presence_trusted is False
    assert loads(GATEWAY + "presence: trust").signal_rules().presence_trusted is True
    events = {
        b'{"event":"status-find","session":"sales","status":"browserClose"}': Kind.DISCONNECTED,
        b'{"event":"STATUS-FIND","session":"sales","status":"inchat"}': Kind.CONNECTED,
        b'{"event":"logoutsession","session":"sales"}': Kind.DISCONNECTED,
        b'{"event":"onmessage","session":"sales"}': Kind.ALIVE,
        b'{"event":"message","session":{"id":"sales"},"raw":{"payload":{"event":"onselfmessage"}}}': None,
        b'{"event":"connection.update","session":{"id":"sales"},"connection":{"status":"close"}}': Kind.DISCONNECTED,
    }
    for body, kind in events.items():
        signal = read(body, rules, 0.0).signal
        assert (signal.kind if signal else None) is kind


def test_marks_of_own_messages_are_added_to_those_that_are_known() -> None:
    own = loads(GATEWAY + "dialect: {own: [meta.outgoing]}").signal_rules().dialect.own
    assert (own[:-1], own[-1]) == (OWN, ("meta", "outgoing"))
    assert loads(GATEWAY).signal_rules().dialect.own == OWN


def test_a_corrected_route_is_named_by_its_path() -> None:
    assert [channels.rule().source for channels in loads(GATEWAY).channels] == [
        "/api/channels", "/api/channels/{session}", "/api/available-sessions",
    ]  # fmt: skip


def test_the_settings_give_the_domain_its_rules() -> None:
    settings = loads(GATEWAY + "sessions: {aliases: {a: b}, max_age: 1d, releases: {alive: false, expired: true}}")
    rules = settings.session_rules()
    assert (rules.aliases, rules.alive_grace, rules.max_age, rules.max_sessions) == ({"a": "b"}, 60.0, 86400.0, 10_000)
    assert rules.releases == frozenset(Release) - {Release.ALIVE}
    channels = settings.channels[0].rule()
    assert channels.list == (("channels",), ("data", "channels"), ("data",), ())
    assert channels.set["connected"] is False
    assert "waiting_qr" in channels.keep
    assert channels.connected == {"connected", "open"}


def test_only_the_slow_list_is_shared() -> None:
    assert [channels.share for channels in loads(GATEWAY).channels] == [True, False, False]
