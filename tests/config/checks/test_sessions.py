# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Checks of `events`, `channels`, `reconnect` and `sessions`: rules without effect are refused, with the fix."""

import pytest

from statusproxy.config.load import loads
from tests.config.refusals import GATEWAY, refused

CHANNELS = "channels:\n  - path: /a\n    list: [x]\n    id: [i]\n"
FIELD = "allowed: a field, or fields joined by dots, such as session.id"
ARRAY = f"{FIELD}; a path cannot lead into an array, so a number, [] or * never matches"
WORDS = "allowed: whole words; a * has no special meaning here, so write out each word, as a list"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "reconnect: {create: POST /api/channels, body: []}",
            '2: reconnect.body: found an empty list, and "POST /api/channels" has no {session}; allowed: one of the two',
        ),
        (
            "channels: [{path: /x, list: a, keep: [Open]}]",
            "2: channels[0].keep: found open, which connected lists too; allowed: words that are more exact than disconnected",
        ),
        (
            "events: [{event: a, session: b}]",
            "2: events[0]: this rule can never have an effect; allowed: means, or state with disconnected, connected or transient",
        ),
        (
            "events: [{event: a, session: b, means: alive, state: c}]",
            "2: events[0].means: found beside state, disconnected, connected or transient; allowed: means alone, or those without means",
        ),
        (
            "events: [{event: a, session: b, state: c, disconnected: [open], connected: [Open]}]",
            "2: events[0].connected: found open in disconnected too; allowed: each word once",
        ),
        (
            "events: [{event: a, session: b, state: c, disconnected: [close], transient: [Close]}]",
            "2: events[0].transient: found close in disconnected too; allowed: each word once",
        ),
        (
            "events: [{event: a, session: b, state: c, connected: [open], transient: [Open]}]",
            "2: events[0].transient: found open in connected too; allowed: each word once",
        ),
        (
            "events: [{event: connection.update, transient: [close]}]",  # `disconnected` is the preset's
            "2: events[0].transient: found close in disconnected too; allowed: each word once",
        ),
        (
            "events: [{event: connection.update, disconnected: [open]}]",  # `connected` is the preset's
            "2: events[0].disconnected: found open in connected too; allowed: each word once",
        ),
        (
            "events: [{event: a, session: b, state: c, disconnected: [close], grace: 60s}]",
            "2: events[0].grace: grace needs `transient` or `means: transient`; allowed: with one of these",
        ),
        (
            "events: [{event: a, session: b, means: disconnected, grace: 60s}]",
            "2: events[0].grace: grace needs `transient` or `means: transient`; allowed: with one of these",
        ),
        (
            "events: [{event: a, session: b, means: transient, transient: [c]}]",
            "2: events[0].means: found beside state, disconnected, connected or transient; allowed: means alone, or those without means",
        ),
        (
            "events: [{event: a, session: b, means: transient, grace: 0s}]",
            '2: events[0].grace: found "0s"; allowed: at least 1ms',
        ),
        (
            "channels: [{path: '/a/{session}', list: [x], one: true}]",
            "2: channels[0].one: found beside {session} in path, which already says that the answer is about one session; allowed: one of the two",
        ),
        (
            f"{CHANNELS}    set: {{items.0.status: close}}",
            f'6: channels[0].set["items.0.status"]: {ARRAY}',
        ),
        (
            f"{CHANNELS}    set: {{instance.status: close, instance: close}}",
            "6: channels[0].set.instance: instance.status is inside this field, and only one of them can be written; allowed: one of the two",
        ),
        (
            "channels: [{path: /x, list: [x], id: [instance.name], set: {instance: close}}]",
            "2: channels[0].set.instance: id lists this field too, and a channel's id is never changed; allowed: a field that holds a status",
        ),
        (
            f"{CHANNELS}    set: {{status: {{}}}}",
            "6: channels[0].set.status: found a mapping; allowed: a value, or a mapping of the event's words to values, with at least one entry",
        ),
        (
            f"{CHANNELS}    set: {{status: [x]}}",
            "6: channels[0].set.status: found a list; allowed: a text, a number, true, false or null",
        ),
        (
            f"{CHANNELS}    set:\n      status: {{failed: FAILED, '*': Open}}",
            '7: channels[0].set.status["*"]: found "Open"; connected lists this word too, so a lost session would read connected; allowed: another word',
        ),
        (
            f"{CHANNELS}    set:\n      status:\n        failed: FAILED\n        Failed: OFF",
            "9: channels[0].set.status.Failed: failed is the same word; allowed: each word once",
        ),
        (
            f"{CHANNELS}    set: {{status: {{fail*: FAILED}}}}",
            f'6: channels[0].set.status["fail*"]: {WORDS}',
        ),
        (
            f"{CHANNELS}    set: {{status: {{failed: $closed}}}}",
            '6: channels[0].set.status.failed: found "$closed"; this would be written as it is, since it is not a variable; allowed: ${VAR}, or the word itself',
        ),
        (
            f"{CHANNELS}    set: {{status: $closed}}",
            (
                '6: channels[0].set.status: found "$closed"; this would be written as it is, since it is not a variable; '
                "allowed: ${VAR}, or the word itself"
            ),
        ),
        (
            f"{CHANNELS}    set:\n      status: $${{closed}}",
            (
                '7: channels[0].set.status: found "${closed}"; this would be written as it is, since it is not a variable; '
                "allowed: ${VAR}, or the word itself"
            ),
        ),
        (
            f"{CHANNELS}    set: {{status: Open}}",
            (
                '6: channels[0].set.status: found "Open"; connected lists this word too, so a lost session would '
                "read connected; allowed: another word"
            ),
        ),
        (
            f"{CHANNELS}    set: {{offline: true}}\n    connected: [true]",
            (
                "6: channels[0].set.offline: found true; connected lists this word too, so a lost session would "
                "read connected; allowed: another word"
            ),
        ),
        (
            f"{CHANNELS}    set: {{}}",
            "6: channels[0].set: found a mapping; allowed: a mapping such as {status: disconnected}, with at least one entry",
        ),
        (f"{CHANNELS}    set: {{s: x}}\n    keep: ['*']", f'7: channels[0].keep[0]: found "*"; {WORDS}'),
        (
            "channels:\n  - path: /a\n    list: [data.0]\n    id: [i]",
            f'4: channels[0].list[0]: found "data.0"; {ARRAY}',
        ),
        ("channels:\n  - path: /a\n    list: [x]\n    id: [0]", f"5: channels[0].id[0]: found 0; {ARRAY}"),
        (
            "channels:\n  - path: /a\n    list: [x]\n    id: ['']",
            '5: channels[0].id[0]: found ""; allowed: the name of a field, or names joined by dots',
        ),
        (
            "channels:\n  - path: /a/*\n    list: [x]",
            '3: channels[0].path: found "/a/*"; allowed: a path such as /api/channels or /api/channels/{session}; a * has no special meaning here, so write the whole path (a * in the path itself: %2A)',
        ),
        (
            "channels:\n  - path: /a/:session\n    list: [x]",
            '3: channels[0].path: found "/a/:session"; allowed: a path such as /api/channels or /api/channels/{session}; a placeholder is written {session}',
        ),
        ("events:\n  - event: '*'\n    session: s", f'3: events[0].event: found "*"; {WORDS}'),
        (
            "events:\n  - event: [a, connection.*]\n    session: s",
            f'3: events[0].event[1]: found "connection.*"; {WORDS}',
        ),
        (
            "events:\n  - event: a\n    session: items[0].session",
            f'4: events[0].session: found "items[0].session"; {ARRAY}',
        ),
        (
            "events:\n  - event: a\n    session: $.session",
            f'4: events[0].session: found "$.session"; {FIELD}; a path begins with a field, not with $',
        ),
        (
            "events:\n  - event: [a, b]\n    session: s\n    means: alive\n    unless: [B]",
            "6: events[0].unless: found b, which event lists too, so the rule never has an effect on it; allowed: events other than the rule's own",
        ),
        (
            "sessions:\n  aliases:\n    sales: sales",
            "4: sessions.aliases.sales: found an alias of an id to itself; allowed: event id: channel id, where they differ",
        ),
        (
            "sessions:\n  max_age: 1h\n  releases: {expired: false}",
            "3: sessions.max_age: found with releases.expired: false, so nothing ever expires; allowed: one of the two",
        ),
        ("reconnect:\n  body: [data.0.id]", f'3: reconnect.body[0]: found "data.0.id"; {ARRAY}'),
        (
            "channels: [{path: '/api/channels?x=1'}]",
            '2: channels[0].path: found "/api/channels?x=********"; allowed: a path such as /api/channels or /api/channels/{session}, without a query; did you mean "/api/channels"?',
        ),
        (
            "channels: [{path: '/api/{session}:$$2b$$10$$S3cret9f8e/status-session'}]",
            '2: channels[0].path: found "/api/{session}:********/status-session"; allowed: {session} as a whole segment between two slashes; or cut from a secret, as in {session}:{_}',
        ),
        (
            "channels: [{path: '/api/{name}'}]",
            '2: channels[0].path: found "/api/{name}"; allowed: {session}, and {_} for a secret, as the only placeholders',
        ),
        (
            "channels: [{path: /x, list: [x], set: {id: disconnected}}]",
            "2: channels[0].set.id: id lists this field too, and a channel's id is never changed; allowed: a field that holds a status",
        ),
        (
            "channels: [{path: /x, list: [x], id: [name], set: {status: off, name: y}}]",
            "2: channels[0].set.name: id lists this field too, and a channel's id is never changed; allowed: a field that holds a status",
        ),
    ],
)
def test_a_mistake_in_rules_about_sessions_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text, EMPTY="") == f"config.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "sessions: {aliases: {Sales: sales}}",  # tells two channels apart that fold to the same
        "sessions: {releases: {expired: false}}",
        f"{CHANNELS}    set: {{status: '$', price: $$5, connected: false, note: null}}",
        f"{CHANNELS}    set: {{instance.status: close, instances: 0, status: {{failed: FAILED, '*': null}}}}",
        f"{CHANNELS}    set: {{Id: gone}}",  # JSON tells names apart by case, so that Id is another field than id
    ],
)
def test_rules_about_sessions_that_can_have_an_effect_are_accepted(text: str) -> None:
    assert loads(GATEWAY + text).gateway == "http://gw.example:3000"
