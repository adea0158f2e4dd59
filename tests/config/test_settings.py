"""The settings are the file's blocks as values: defaults, what is shown of them, and the rules made from them."""

from pathlib import Path

import msgspec
import pytest
import yaml

from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, load, loads
from statusproxy.config.settings import Reconnect, Settings
from statusproxy.config.spot import MASK
from statusproxy.status.model import Release
from statusproxy.status.set_values import ByWord
from statusproxy.status.signals import SignalKind, read
from tests.config.refusals import GATEWAY, refused

ROOT = Path(__file__).parents[2]
SECRETS = """
webhooks:
  - path: /a
    forward_to: https://hub.example/hook?key=hidden-1
    secret: {header: X-Webhook-Secret, value: hidden-2}
    hmac: {header: X-Signature, secret: hidden-3, prefix: "sha256="}
    jwt: {secret: hidden-6}
    token: {field: apikey, value: hidden-7}
state: {url: "redis://user:hidden-4@cache.example:6379/0"}
admin: {listen: "0.0.0.0:8091", token: hidden-5}
"""


def test_everything_but_the_gateway_has_a_default() -> None:
    settings = loads(GATEWAY)
    assert settings.listen == (Address("127.0.0.1", 8090),)
    assert settings.preset == "gateway-wrapper"
    assert (settings.host, settings.presence, settings.state.url) == ("preserve", "ignore", "sqlite:///state.db")
    assert settings.admin.listen == Address("127.0.0.1", 8091)
    assert settings.sessions.alive_grace == 60
    assert settings.timeouts.response_head == 120
    assert settings.limits.head == 32768
    assert settings.limits.body is None
    assert settings.tls is None


def test_settings_are_equal_when_their_values_are() -> None:
    assert loads(GATEWAY) == loads(
        GATEWAY + "timeouts: {connect: 5000ms}\nsessions: {alive_grace: 1m}\nlisten: [127.0.0.1:8090]"
    )
    assert loads(GATEWAY) != loads(GATEWAY + "timeouts: {connect: 6s}")


def test_null_turns_a_thing_off_where_it_can_be_off() -> None:
    settings = loads(GATEWAY + "admin: {listen: null}\ntimeouts: {response_head: null}\nsessions: {history_days: null}")
    assert (settings.admin.listen, settings.timeouts.response_head, settings.sessions.history_days) == (
        None,
        None,
        None,
    )


def test_a_webhook_tells_the_secret_of_each_proof_that_it_asks_for() -> None:
    proved, bare = loads(GATEWAY + SECRETS).webhooks[0], loads(GATEWAY).webhooks[0]
    assert (proved.secrets, bare.secrets) == (("hidden-2", "hidden-3", "hidden-6", "hidden-7"), ())


def test_admin_null_turns_the_admin_listener_off() -> None:
    assert loads(GATEWAY + "admin: null").admin.listen is None
    assert loads(dump(loads(GATEWAY + "admin: null"))) == loads(GATEWAY + "admin: null")


def test_no_secret_is_ever_shown() -> None:
    settings = loads(GATEWAY + SECRETS)
    shown = dump(settings)
    assert "hidden" not in shown
    assert "hidden" not in repr(settings)
    masked = yaml.safe_load(shown)
    assert masked["admin"]["token"] == MASK
    assert masked["state"]["url"] == f"redis://user:{MASK}@cache.example:6379/0"
    assert masked["webhooks"][0]["forward_to"] == f"https://hub.example/hook?key={MASK}"
    assert masked["webhooks"][0]["secret"]["value"] == MASK
    with pytest.raises(ConfigError, match="stands for a secret"):
        loads(shown)  # no one runs with the masks by mistake


def test_settings_are_shown_in_the_order_of_the_documentation() -> None:
    top = [line.split(":")[0] for line in dump(loads(GATEWAY)).splitlines() if line[0].isalpha()]
    assert top == [field.encode_name for field in msgspec.structs.fields(Settings)]


def test_the_shipped_file_works_and_says_nothing_but_the_defaults() -> None:
    assert load(ROOT / "config.yaml", environ={}) == loads("gateway: http://127.0.0.1:3000")


def test_what_the_shipped_file_comments_out_are_the_defaults_too() -> None:
    text = (ROOT / "config.yaml").read_text()
    lines = text.partition("# events, channels and reconnect: see")[0].splitlines()
    keys = {field.encode_name for field in msgspec.structs.fields(Settings)} - {"tls", "alerts"}
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


def test_the_presets_rules_read_the_events_they_were_written_for() -> None:
    rules = loads(GATEWAY).signal_rules()
    assert rules.presence_trusted is False
    assert loads(GATEWAY + "presence: trust").signal_rules().presence_trusted is True
    events = {
        b'{"event":"status-find","session":"sales","status":"browserClose"}': SignalKind.DISCONNECTED,
        b'{"event":"STATUS-FIND","session":"sales","status":"inchat"}': SignalKind.CONNECTED,
        b'{"event":"logoutsession","session":"sales"}': SignalKind.DISCONNECTED,
        b'{"event":"onmessage","session":"sales"}': SignalKind.ALIVE,
        b'{"event":"message","session":{"id":"sales"},"raw":{"payload":{"event":"onselfmessage"}}}': None,
        b'{"event":"connection.update","session":{"id":"sales"},"connection":{"status":"close"}}': (
            SignalKind.DISCONNECTED
        ),
    }
    for body, kind in events.items():
        signal = read(body, rules, 0.0).signal
        assert (signal.kind if signal else None) is kind


def test_a_transient_state_waits_for_90_seconds_unless_said_otherwise() -> None:
    settings = loads(
        GATEWAY
        + """
events:
  - {event: a, session: s, state: c, transient: [Connecting]}
  - {event: b, session: s, means: transient, grace: 2m}
  - {event: c, session: s, means: alive}
"""
    )
    waiting, named, other = (event.rule() for event in settings.events[:3])
    assert waiting.transient == {"connecting"}
    assert (waiting.grace, named.means, named.grace) == (90.0, SignalKind.TRANSIENT, 120.0)
    assert (other.transient, [event.grace for event in settings.events[:3]]) == (frozenset(), [90.0, 120.0, None])
    assert loads(dump(settings)) == settings
    signal = read(b'{"event": "a", "s": "sales", "c": "connecting"}', settings.signal_rules(), 0.0).signal
    assert signal is not None
    assert (signal.kind, signal.grace) == (SignalKind.TRANSIENT, 90.0)


def test_a_corrected_route_is_named_by_its_path() -> None:
    assert [channels.rule().source for channels in loads(GATEWAY).channels] == [
        "/api/channels", "/api/channels/{session}", "/api/available-sessions",
    ]  # fmt: skip


def test_what_is_set_may_lead_into_objects_and_go_by_the_events_word() -> None:
    text = """
channels:
  - path: /a
    list: [""]
    set: {instance.status: close, status: {FAILED: FAILED, scan_qr_code: SCAN_QR_CODE, "*": null}, connected: false}
"""
    settings = loads(GATEWAY + text)
    assert settings.channels[0].rule().set == {
        "instance.status": "close",
        "status": ByWord({"failed": "FAILED", "scan_qr_code": "SCAN_QR_CODE", "*": None}),
        "connected": False,
    }
    assert loads(dump(settings)) == settings


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


def test_an_answer_about_one_session_may_name_it_itself() -> None:
    settings = loads(GATEWAY + "channels: [{path: /session/status, list: [data], one: true}]")
    assert [channels.rule().one for channels in settings.channels] == [True, False, False, False]


def test_only_the_slow_list_is_shared() -> None:
    assert [channels.share for channels in loads(GATEWAY).channels] == [True, False, False]


def test_the_journals_directory_is_a_path_in_one_line() -> None:
    error = refused(GATEWAY + 'state: {journal: "a\\0b"}')
    assert error == "config.yaml:2: state.journal: found a text; allowed: a path, in one line of text"


def test_the_spool_is_off_and_bounded_by_default() -> None:
    settings = loads(GATEWAY)
    assert [webhook.spool for webhook in settings.webhooks] == [False] * len(settings.webhooks)
    assert yaml.safe_load(dump(settings))["spool"] == {
        "max_bytes": "256MiB", "max_entries": 100_000, "max_age": "1d", "unknown": "hold",
        "schedule": ["1s", "5s", "30s", "2m", "10m"],
    }  # fmt: skip


def test_a_spool_that_is_configured_is_read_and_shown() -> None:
    text = f"""{GATEWAY}
webhooks: [{{path: /a, spool: true}}, {{path: /b}}]
spool: {{max_bytes: 1536, max_entries: 7, max_age: 90m, unknown: resend, schedule: [1500ms, 2h]}}
"""
    settings = loads(text)
    assert [webhook.spool for webhook in settings.webhooks][:2] == [True, False]
    spool = settings.spool
    assert (spool.max_bytes, spool.max_entries, spool.max_age) == (1536, 7, 5400.0)
    assert (spool.unknown, spool.schedule) == ("resend", (1.5, 7200.0))
    shown = dump(settings)
    assert yaml.safe_load(shown)["spool"]["schedule"] == ["1500ms", "2h"]
    assert [webhook.get("spool") for webhook in yaml.safe_load(shown)["webhooks"]][:2] == [True, False]
    assert loads(shown) == settings


def test_one_pause_needs_no_list() -> None:
    assert loads(GATEWAY + "spool: {schedule: 7s}").spool.schedule == (7.0,)


DURATION = "a duration such as 500ms, 60s, 2m, 1h or 1d (a bare number is seconds)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_bytes: 1023", "spool.max_bytes: found 1023; allowed: 1KiB to 1048576GiB"),
        ("max_entries: 0", "spool.max_entries: found 0; allowed: a whole number from 1 to 1000000"),
        ("max_age: 0s", 'spool.max_age: found "0s"; allowed: at least 1ms'),
        ("max_age: null", f"spool.max_age: found nothing (null); allowed: {DURATION}"),
        ("unknown: drop", 'spool.unknown: found "drop"; allowed: hold, resend'),
        ("schedule: []", "spool.schedule: found an empty list; allowed: at least one entry"),
        ("schedule: [1s, 0s]", 'spool.schedule[1]: found "0s"; allowed: at least 1ms'),
        ("schedule: [1s, soon]", f'spool.schedule[1]: found "soon"; allowed: {DURATION}'),
        ("schedule: null", f"spool.schedule: found nothing (null); allowed: {DURATION}; or a list of them"),
        (
            "max_agee: 1h",
            (
                'spool.max_agee: unknown key; did you mean "max_age"? '
                "(known: max_bytes, max_entries, max_age, unknown, schedule)"
            ),
        ),
    ],
)
def test_a_spool_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    assert refused(f"{GATEWAY}spool:\n  {text}") == f"config.yaml:3: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spool: true", "spool: found true; allowed: a mapping of max_bytes, max_entries, max_age, unknown, schedule"),
        ("webhooks: [{path: /a, spool: 1}]", "webhooks[0].spool: found 1; allowed: true, false"),
    ],
)
def test_the_switch_is_a_webhooks_and_the_bounds_are_the_blocks(text: str, message: str) -> None:
    assert refused(GATEWAY + text) == f"config.yaml:2: {message}"


@pytest.mark.parametrize(("name", "boolean_names"), [("'false'", True), ("true", True), ("link", False)])
def test_a_rule_that_is_called_true_or_false_makes_booleans_names(name: str, boolean_names: bool) -> None:
    text = f"preset: null\nevents: [{{event: [{name}], session: [a], means: alive}}]\n"
    assert loads(GATEWAY + text).signal_rules().dialect.boolean_names is boolean_names


WATCHED = [key for key in msgspec.structs.asdict(Reconnect()) if key != "body"]


@pytest.mark.parametrize("key", WATCHED)
def test_each_watched_route_says_how_an_id_is_cut_from_a_token(key: str) -> None:
    text = f"gateway: http://gateway.example\npreset: null\nreconnect: {{{key}: 'POST /api/{{session}}:{{_}}/x'}}"
    assert loads(text).session_cut() is not None


def test_the_watched_routes_are_all_keys_but_that_of_the_body() -> None:
    assert list(Reconnect().routes()) == WATCHED == ["delete", "create", "qr"]
