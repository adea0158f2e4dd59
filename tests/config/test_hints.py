"""What `check` warns of: valid, but perhaps not what was meant."""

from pathlib import Path

import pytest

from statusproxy.config.hints import warnings
from statusproxy.config.layers import preset_names
from statusproxy.config.load import loads

TWO = """
gateway: http://127.0.0.1:3000
preset: null
channels:
  - {path: "/api/{session}/status-session", list: [""], id: [session], set: {status: CLOSED}}
  - {path: "/api/{session}/check-connection-session", list: [""], id: [session], set: {status: false}}
"""


def test_a_short_secret_of_a_json_web_token_is_named_and_not_repeated() -> None:
    text = "gateway: http://127.0.0.1:3000\nwebhooks: [{path: /a}, {path: /b, jwt: {secret: %s}}]"
    (warning,) = warnings(loads(text % "hush"))
    assert warning.startswith("webhooks[1].jwt.secret: shorter than the 32 bytes that RFC 7518")
    assert "hush" not in warning
    assert warnings(loads(text % ("x" * 32))) == []


@pytest.mark.parametrize(("url", "count"), [("sqlite:///state.db", 0), ("memory:", 1), ("redis://127.0.0.1/0", 0)])
def test_a_spool_beside_a_state_that_keeps_none_is_named(url: str, count: int) -> None:
    text = (
        f"gateway: http://127.0.0.1:3000\nwebhooks: [{{path: /a}}, {{path: /b, spool: true}}]\nstate: {{url: '{url}'}}"
    )
    found = warnings(loads(text))
    assert len(found) == count
    assert all(warning.startswith("webhooks: spool: true on /b has no effect") for warning in found)


@pytest.mark.parametrize(("url", "count"), [("sqlite:///state.db", 0), ("memory:", 1), ("redis://127.0.0.1/0", 0)])
def test_alerts_beside_a_state_that_a_restart_forgets_are_named(url: str, count: int) -> None:
    text = f"gateway: http://127.0.0.1:3000\nstate: {{url: '{url}'}}\nalerts: "
    found = warnings(loads(text + "{to: [{webhook: 'https://hub.example/'}]}"))
    assert [warning.startswith("alerts: with this state.url a restart forgets") for warning in found] == [True] * count
    assert warnings(loads(text + "{heartbeat: 'https://kuma.example/'}")) == []


def test_a_short_secret_of_alerts_is_named_and_not_repeated() -> None:
    targets = "[{apprise: 'ntfy://x/y'}, {webhook: 'https://hub.example/', secret: %s}]"
    text = f"gateway: http://127.0.0.1:3000\nalerts: {{to: {targets}}}"
    for short in ("hush", "whsec_aHVzaGh1c2hodXNo"):
        (warning,) = warnings(loads(text % short))
        assert warning.startswith("alerts.to[1].secret: shorter than the 24 bytes that Standard Webhooks asks for")
        assert short not in warning
    assert warnings(loads(text % ("x" * 24))) == []


def test_two_routes_that_may_draw_on_two_sources_are_named() -> None:
    (warning,) = warnings(loads(TWO))
    assert "/api/{session}/status-session and /api/{session}/check-connection-session" in warning
    assert "no evidence for the other" in warning


def test_a_presets_own_routes_and_a_list_with_its_single_channel_are_no_reason_to_warn() -> None:
    assert warnings(loads("gateway: http://127.0.0.1:3000")) == []
    pair = TWO.replace("/api/{session}/status-session", "/api/x").replace("check-connection-session", "")
    assert warnings(loads(pair.replace("/api/{session}/", "/api/x/{session}"))) == []


@pytest.mark.parametrize("path", ["/api/other", "/api/channels/{session}/state"])
def test_a_route_of_ones_own_beside_the_presets_is_named(path: str) -> None:
    own = f"""
gateway: http://127.0.0.1:3000
channels:
  - {{path: /api/channels, list: [channels]}}
  - {{path: "{path}", list: [""]}}
"""
    (warning,) = warnings(loads(own))
    assert path in warning


def test_a_route_with_a_secret_in_it_is_the_same_source_as_without() -> None:
    cut = TWO.replace("{session}/status", "{session}:{_}/status").replace("check-connection-session", "status-session")
    assert warnings(loads(cut)) == []


def test_routes_of_a_preset_in_a_file_are_no_reason_to_warn(tmp_path: Path) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text(TWO.replace("gateway: http://127.0.0.1:3000\npreset: null\n", ""))
    settings = loads(f"gateway: http://127.0.0.1:3000\npreset: {preset}")
    assert warnings(settings) == []
    preset.unlink()  # nothing is known of it now
    assert len(warnings(settings)) == 1


V2 = "gateway: http://127.0.0.1:3000\npreset: evolution-v2\n"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/webhok/**", "/webhook/**"),
        ("/hooks/**", None),
        ("/webhook/user/{session}", None),
        ("/WEBHOOK/**", None),
    ],
)
def test_a_webhook_with_nearly_the_path_of_one_of_the_preset_is_named(path: str, meant: str | None) -> None:
    told = warnings(loads(f"{V2}webhooks: [{{path: {path}, forward: false}}]"))
    assert told == (
        []
        if meant is None
        else [f'webhooks[0].path: {path} is a separate webhook, besides {meant} of the preset; did you mean "{meant}"?']
    )


def test_a_placeholder_is_no_misspelt_word() -> None:
    text = "gateway: http://127.0.0.1:3000\npreset: wppconnect-server\n"
    assert warnings(loads(text + "webhooks: [{path: /v1/webhooks/receive/sessions, forward: false}]")) == []


def test_a_word_that_no_rule_says_is_named_with_the_nearest() -> None:
    one = "channels: [{path: /instance/fetchInstances, set: {connectionStatus: {%s: close, '*': close}}}]"
    never = 'no rule in events lists "%s" under disconnected or transient, so this value is never written'
    told = [warnings(loads(V2 + one % word)) for word in ("conecting", "open")]
    assert told == [
        [f'channels[0].set.connectionStatus: {never % "conecting"}; did you mean "connecting"?'],
        [f"channels[0].set.connectionStatus: {never % 'open'}"],
    ]
    assert warnings(loads(V2 + one % "Connecting")) == []


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_alone_gives_no_reason_to_warn(preset: str) -> None:
    assert warnings(loads(f"gateway: http://127.0.0.1:3000\npreset: {preset}")) == []
