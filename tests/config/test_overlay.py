"""A file lies over its preset entry by entry: what it does not name stays, and an empty block means none."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, load, loads
from statusproxy.config.overlay import overlay
from statusproxy.config.settings import Settings
from statusproxy.config.yaml_tree import Entries, Items, Node, Scalar, parse
from tests.config.refusals import refused

GATEWAY = "gateway: http://gw.example:3000\n"
PRESET = loads(GATEWAY)
BLOCKS = ("webhooks", "events", "channels", "reconnect")


def written(text: str) -> Settings:
    settings = loads(GATEWAY + text)
    assert loads(dump(settings)) == settings
    return settings


def entries(text: str) -> Entries:
    node = parse(text, "c.yaml", None)[1]
    assert isinstance(node, Entries)
    return node


def shown(node: Node) -> object:
    """A node as plain values."""
    if isinstance(node, Entries):
        return {name: shown(below) for name, (_, below) in node.nodes.items()}
    if isinstance(node, Items):
        return [shown(below) for _, below in node.nodes]
    return node.text


# An empty block, and what is no block


@pytest.mark.parametrize("block", ["webhooks: []", "events: []", "channels: []", "reconnect: {}"])
def test_an_empty_block_means_none_and_leaves_the_others(block: str) -> None:
    settings = written(block)
    name = block.partition(":")[0]
    assert getattr(settings, name) == getattr(loads(GATEWAY + "preset: null"), name)
    for other in set(BLOCKS) - {name}:
        assert getattr(settings, other) == getattr(PRESET, other)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("value", ["x", "[x]", "[[x]]", "null", "{a: b}", "[{path: [/x]}]", "[{event: {a: b}}]"])
def test_what_is_no_block_is_left_for_the_reader_to_refuse(block: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^(config\.yaml:2|preset [\w-]+:\d+): {block}"):
        loads(f"{GATEWAY}{block}: {value}")


def test_without_a_preset_only_the_file_counts() -> None:
    settings = loads(GATEWAY + "preset: null\nwebhooks: [{path: /in}]")
    assert [webhook.path for webhook in settings.webhooks] == ["/in"]
    assert (settings.channels, settings.events) == ((), ())


# webhooks and channels, by path


def test_a_webhook_of_another_path_is_added_before_the_presets() -> None:
    settings = written("webhooks: [{path: /tap, forward: false}]")
    assert [webhook.path for webhook in settings.webhooks] == ["/tap", "/v1/webhooks/receive"]
    assert settings.webhooks[1] == PRESET.webhooks[0]


@pytest.mark.parametrize("path", ["/v1/webhooks/receive", "/V1/Webhooks/Receive/"])
def test_a_webhook_of_the_presets_path_changes_that_one(path: str) -> None:
    (webhook,) = written(f"webhooks: [{{path: {path}, from: 10.0.0.0/8}}]").webhooks
    assert (webhook.path, [str(network) for network in webhook.from_]) == (path, ["10.0.0.0/8"])


def laid(own: str, preset: str) -> list[dict[str, object]]:
    """The webhooks of a file over those of a preset."""
    written, base = (parse(f"webhooks: [{text}]", "c.yaml", None)[1] for text in (own, preset))
    assert isinstance(written, Entries)
    assert isinstance(base, Entries)
    merged = overlay(written, base).nodes["webhooks"][1]
    assert isinstance(merged, Items)
    return [
        {key: node.text for key, (_, node) in entry.nodes.items() if isinstance(node, Scalar)}
        for _, entry in merged.nodes
        if isinstance(entry, Entries)
    ]


def test_a_presets_tap_forwards_where_the_file_says_where_to() -> None:
    tap = "{path: /in, forward: false, from: x}"
    assert laid("{path: /in, forward_to: hub}", tap) == [{"path": "/in", "from": "x", "forward_to": "hub"}]
    assert laid("{path: /in, from: y}", tap) == [{"path": "/in", "forward": "false", "from": "y"}]


def test_a_presets_receiver_goes_where_the_file_makes_it_a_tap() -> None:
    assert laid("{path: /in, forward: false}", "{path: /in, forward_to: hub}") == [{"path": "/in", "forward": "false"}]


def test_one_key_of_one_channel_list_changes_only_that() -> None:
    settings = written("channels: [{path: /api/channels, list: [items]}]")
    first, *rest = settings.channels
    assert first.list == ("items",)
    assert (first.id, first.set, first.share) == (PRESET.channels[0].id, PRESET.channels[0].set, True)
    assert rest == list(PRESET.channels[1:])


def test_what_the_first_entry_reads_like_the_presets_others_read_like_too() -> None:
    first, second, third = written("channels: [{path: /api/channels, set: {state: down}, keep: [busy]}]").channels
    assert first.set == second.set == third.set == {"state": "down"}
    assert first.keep == second.keep == third.keep == ("busy",)


def test_an_entry_of_channels_takes_what_it_leaves_out_from_the_files_first() -> None:
    first, second, third, *others = written(
        """
channels:
  - {path: /a, list: a, id: key, set: {state: down}, keep: [busy], connected: [up], share: true}
  - {path: /b, list: b}
  - {path: /c, list: c, keep: []}
"""
    ).channels
    assert (second.id, second.set, second.keep, second.connected) == (first.id, first.set, ("busy",), ("up",))
    assert (third.set, third.keep) == (first.set, ())
    assert (first.share, second.share) == (True, False)
    assert others == list(PRESET.channels)


def test_the_first_entry_of_channels_takes_what_it_leaves_out_from_the_presets_first() -> None:
    mine, *others = written("channels: [{path: /a, list: a}]").channels
    preset = PRESET.channels[0]
    assert (mine.id, mine.set, mine.keep, mine.connected) == (preset.id, preset.set, preset.keep, preset.connected)
    assert others == list(PRESET.channels)


def test_a_block_that_writes_all_of_the_presets_paths_means_what_it_meant_before() -> None:
    """As 0.1 read it: the file's entries, in its order, each key it leaves out from the first."""
    settings = written(
        """
channels:
  - {path: /api/available-sessions, list: [s], id: [n], set: {state: off}, keep: [qr], connected: [on], share: false}
  - {path: "/api/channels/{session}", list: [c]}
  - {path: /api/channels, list: [l], share: false}
"""
    )
    assert [entry.path for entry in settings.channels] == [
        "/api/available-sessions", "/api/channels/{session}", "/api/channels",
    ]  # fmt: skip
    assert settings.channels[1].set == {"state": "off"}
    assert settings.channels[1].id == ("n",)


# events, by name


def rule(settings: Settings, event: str) -> list[tuple[str, ...]]:
    return [each.event for each in settings.events if event in each.event]


def test_a_rule_for_another_event_is_added_before_the_presets() -> None:
    settings = written("events: [{event: session.lost, session: [id], means: disconnected}]")
    assert settings.events[0].event == ("session.lost",)
    assert settings.events[1:] == PRESET.events


def test_a_rule_replaces_the_presets_for_the_events_it_names() -> None:
    settings = written("events: [{event: [Status-Find, onmessage], session: [id], means: connected}]")
    assert rule(settings, "status-find") == []
    assert rule(settings, "Status-Find") == [("Status-Find", "onmessage")]
    assert rule(settings, "incomingcall") == [("incomingcall", "message")]
    assert rule(settings, "connection.update") == rule(PRESET, "connection.update")


CONNECTION = PRESET.events[0]


def test_a_rule_for_the_very_events_of_a_preset_rule_changes_the_keys_it_names() -> None:
    first, *rest = written("events: [{event: Connection.Update, transient: [connecting], grace: 2m}]").events
    assert first == replace(CONNECTION, event=("Connection.Update",), transient=("connecting",), grace=120.0)
    assert rest == list(PRESET.events[1:])


def test_the_order_of_a_rules_events_does_not_matter() -> None:
    (changed,) = written(
        "preset_without: [connection.update]\nevents: [{event: [logoutsession, closesession], means: alive}]"
    ).events[:1]
    assert (changed.session, changed.means) == (("session",), "alive")


def test_a_rule_that_now_goes_by_its_name_keeps_no_words() -> None:
    changed = written("events: [{event: connection.update, means: transient}]").events[0]
    assert (changed.state, changed.disconnected, changed.connected) == ((), (), ())
    assert (changed.session, changed.grace) == (CONNECTION.session, 90.0)


def test_a_rule_that_now_goes_by_words_does_not_keep_its_meaning() -> None:
    changed = written("events: [{event: [closesession, logoutsession], state: [state], disconnected: [gone]}]").events[
        0
    ]
    assert (changed.means, changed.session, changed.disconnected) == (None, ("session",), ("gone",))


def test_two_rules_about_the_same_events_stand_as_they_are() -> None:
    both = written(
        """
events:
  - {event: connection.update, session: [id], state: [a], disconnected: [x]}
  - {event: connection.update, session: [id], state: [b], disconnected: [y]}
"""
    )
    assert [(each.state, each.connected) for each in both.events[:2]] == [(("a",), ()), (("b",), ())]
    assert both.events[2:] == PRESET.events[1:]


def test_a_rule_in_place_of_one_left_out_takes_nothing_from_it() -> None:
    text = "preset_without: [connection.update]\nevents: [{event: connection.update, means: alive}]"
    with pytest.raises(ConfigError, match=r"events\[0\]\.session: missing"):
        written(text)


def test_a_rule_about_some_of_an_events_takes_where_they_name_the_session() -> None:
    changed, *rest = written("events: [{event: message, means: connected}]").events
    assert (changed.session, changed.unless) == (("session.id", "session", "sessionId", "channel"), ())
    assert rest[-1].event == ("onmessage", "incomingcall")


def test_a_rule_that_names_another_place_of_the_session_keeps_the_words() -> None:
    preset = entries("events: [{event: a, session: s, disconnected: [x], transient: [y], grace: 60s}]")
    laid = overlay(entries("events: [{event: a, session: t}]"), preset)
    assert shown(laid) == {
        "events": [{"event": "a", "session": "t", "disconnected": ["x"], "transient": ["y"], "grace": "60s"}]
    }


@pytest.mark.parametrize("block", ["webhooks", "channels"])
def test_an_entry_that_is_no_mapping_is_left_for_the_reader_to_refuse(block: str) -> None:
    laid = overlay(entries(f"{block}: [x]"), entries(f"{block}: [y, {{path: /a}}]"))
    assert shown(laid) == {block: ["x", {"path": "/a"}]}


@pytest.mark.parametrize("rule", ["{event: a, transient: []}", "{event: a, disconnected: [x]}"])
def test_a_presets_grace_goes_with_its_transient_state(rule: str) -> None:
    preset = "events: [{event: a, session: s, means: transient, grace: 60s}]"
    events = overlay(entries(f"events: [{rule}]"), entries(preset)).nodes["events"][1]
    assert isinstance(events, Items)
    assert isinstance(events.nodes[0][1], Entries)
    assert not events.nodes[0][1].nodes.keys() & {"means", "grace"}


@pytest.mark.parametrize("events", ["status-find, message", "unheard-of"])  # they name it in two ways, or in none
def test_where_the_presets_rules_do_not_agree_a_rule_says_where_the_session_is_named(events: str) -> None:
    with pytest.raises(ConfigError, match=r"events\[0\]\.session: missing"):
        written(f"events: [{{event: [{events}], means: connected}}]")


# reconnect and sessions, by key


def test_one_key_of_reconnect_leaves_the_others() -> None:
    reconnect = written("reconnect: {delete: 'DELETE /v2/{session}'}").reconnect
    assert reconnect.delete == ("DELETE /v2/{session}",)
    assert (reconnect.create, reconnect.qr) == (PRESET.reconnect.create, PRESET.reconnect.qr)


def test_a_key_of_reconnect_that_is_empty_means_none() -> None:
    assert written("reconnect: {create: []}").reconnect.create == ()


def test_of_sessions_each_key_is_replaced_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("sessions: {alive_grace: 5s, max_sessions: 7}")
    sessions = loads(f"{GATEWAY}preset: {tmp_path}/mine.yaml\nsessions: {{alive_grace: 9s}}").sessions
    assert (sessions.alive_grace, sessions.max_sessions) == (9.0, 7)


# What is left out


def test_single_paths_and_events_of_the_preset_can_be_left_out() -> None:
    settings = written("preset_without: [/api/Available-Sessions, onmessage, status-find]")
    assert [entry.path for entry in settings.channels] == ["/api/channels", "/api/channels/{session}"]
    assert rule(settings, "onmessage") == rule(settings, "status-find") == []
    assert rule(settings, "incomingcall") == [("incomingcall", "message")]
    assert written("preset_without: /v1/webhooks/receive").webhooks == ()


def test_a_path_with_everything_below_can_be_left_out() -> None:
    settings = loads("gateway: http://127.0.0.1:3000\npreset: waha\npreset_without: [/webhook/**]")
    assert settings.webhooks == ()
    with pytest.raises(ConfigError, match=r'did you mean "/webhook/\*\*"'):
        loads("gateway: http://127.0.0.1:3000\npreset: waha\npreset_without: [/webhook/*]")


def test_an_entry_written_in_place_of_one_left_out_takes_nothing_from_it() -> None:
    without = "preset_without: [/api/channels]\n"
    with pytest.raises(ConfigError, match=r"channels\[0\]\.list: missing"):
        loads(f"{GATEWAY}{without}channels: [{{path: /api/channels}}]")
    settings = written(f"{without}channels: [{{path: /api/channels, list: l, id: i, set: {{a: b}}}}]")
    assert settings.channels[0].share is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset_without: [/api/chanels]", r'found "/api/chanels"; allowed: .*; did you mean "/api/channels"\?'),
        ("preset_without: [statusfind]", r'did you mean "status-find"'),
        ("preset: null\npreset_without: [/api/channels]", "allowed: a path or an event that the preset names"),
        ("preset_without: {a: b}", "found a mapping"),
    ],
)
def test_what_the_preset_does_not_have_cannot_be_left_out(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loads(GATEWAY + text)


NO_SESSION = (
    "config.yaml:4: events[0].session: missing; write the fields that may name the session, such as "
    "[session.id, session]"
)
NO_LIST = (
    "config.yaml:4: channels[0].list: missing; write the fields that may hold the channels, such as "
    '[channels, data, ""]; one channel: [""]'
)
V2 = "gateway: http://gw.example:3000\npreset: evolution-v2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "events:\n  - {event: CONNECTION_UPDATE, grace: 2m}\n",
            f'{NO_SESSION}; or did you mean "connection.update" of the preset?',
        ),
        (
            "channels:\n  - {path: /instance/fetchInstance, keep: [close]}\n",
            f'{NO_LIST}; or did you mean "/instance/fetchInstances" of the preset?',
        ),
        (
            "events:\n  - {event: nothing-like-it, grace: 2m}\n",
            NO_SESSION,
        ),
    ],
)
def test_an_entry_that_misspells_one_of_the_preset_is_told_which_it_may_mean(text: str, message: str) -> None:
    assert refused(V2 + text) == message


def test_a_rule_about_one_of_several_events_of_the_preset_is_not_taken_for_misspelt() -> None:
    assert "of the preset?" not in refused(V2 + "events:\n  - {event: logout.instance, grace: 2m}\n")


@pytest.mark.parametrize("preset", ["evolution-v2", "evolution-v1", "./mine.yaml"])
def test_what_the_first_route_is_changed_to_holds_for_those_that_took_it_from_there(
    preset: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("extends: evolution-v2\n")
    file = tmp_path / "config.yaml"
    file.write_text(
        f"gateway: http://gw.example:3000\npreset: {preset}\n"
        "channels: [{path: /instance/fetchInstances, keep: [close, pausing]}]\n"
    )
    own = {channels.path: (channels.keep, channels.id) for channels in load(file, environ={}).channels}
    assert {keep for keep, _ in own.values()} == {("close", "pausing")}
    assert own["/instance/connectionState/{session}"][1] == ("instance.instanceName",)


def test_what_a_route_of_an_extended_preset_says_itself_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "extends: evolution-v2\nchannels: [{path: '/instance/connectionState/{session}', keep: [own]}]\n"
    )
    file = tmp_path / "config.yaml"
    file.write_text(
        "gateway: http://gw.example:3000\npreset: ./mine.yaml\n"
        "channels: [{path: /instance/fetchInstances, keep: [changed]}]\n"
    )
    kept = {channels.path: channels.keep for channels in load(file, environ={}).channels}
    assert kept == {"/instance/fetchInstances": ("changed",), "/instance/connectionState/{session}": ("own",)}
