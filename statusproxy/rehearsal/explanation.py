"""The verdict on an event, explained in a sentence: why it changed something, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from statusproxy.config.settings import Event, Sessions, Settings, Webhook
from statusproxy.config.templates import SESSION
from statusproxy.config.units import format_duration
from statusproxy.rehearsal.elements import Element
from statusproxy.rehearsal.messages import Member
from statusproxy.rehearsal.moments import moment, shown
from statusproxy.rehearsal.vocabulary import members, name_shown
from statusproxy.status.fields import first_scalar, parse_path
from statusproxy.status.model import RELEASED, REPEATED, STARTED, Change, Record, Release
from statusproxy.status.signals import Kind, Signal, Verdict

LONGEST: Final = 80
"""Characters of a name or word that a sentence repeats."""


class Heard(msgspec.Struct, frozen=True):
    """A signal, and what it did to its session's record."""

    signal: Signal
    verdict: str
    change: Change | None
    before: Record | None
    after: Record | None


def explain(heard: Heard, rules: Sessions) -> str:
    """Why a signal has this verdict."""
    if heard.verdict == "duplicate":
        return "an event with the same id was heard before"
    if heard.verdict == "late":
        return _late(heard)
    match heard.change.what if heard.change is not None else None:
        case what if what == STARTED:
            return "the list is to show it as disconnected from now on"
        case what if what == REPEATED:
            return "disconnected already; the correction begins anew"
        case what if what == RELEASED:
            assert heard.change is not None
            return f"the correction ends ({heard.change.reason}): the gateway's own word shows again"
    return _EXPLAINED[heard.signal.kind](heard, rules)


def _late(heard: Heard) -> str:
    known = heard.before
    if known is None or heard.signal.at is None or heard.signal.kind is Kind.ALIVE:
        return "something newer is known already"
    if known.override is not None and heard.signal.kind is Kind.TRANSIENT:
        return "disconnected already, and a transient state never weakens that"
    if known.known_at > heard.signal.at and known.verdict is not None:
        return f"older than what is known: {known.verdict.value} since {shown(moment(known.known_at))}"
    return "the same was heard before"


def _disconnected(heard: Heard, rules: Sessions) -> str:
    grace = format_duration(rules.alive_grace)
    return f"a message came in more than {grace} (sessions.alive_grace) after it, so the session is connected"


def _connected(heard: Heard, rules: Sessions) -> str:
    if heard.after is not None and heard.after.override is not None:
        if not rules.releases[Release.CONNECTED_EVENT.value]:
            return "the correction stays: sessions.releases.connected-event is off"
        return "the correction stays: it is older than the transient state that lasted"
    if heard.before is not None and heard.before.transient is not None:
        return "the transient state ends before it counts"
    return "nothing to end: the list shows the gateway's own word"


def _alive(heard: Heard, rules: Sessions) -> str:
    if heard.after is None or heard.after.override is None:
        return "nothing to end: the list shows the gateway's own word"
    if not rules.releases[Release.ALIVE.value]:
        return "the correction stays: sessions.releases.alive is off"
    grace = format_duration(rules.alive_grace)
    return f"no proof: it came less than {grace} (sessions.alive_grace) after the disconnect"


def _transient(heard: Heard, rules: Sessions) -> str:
    state = heard.after.transient if heard.after is not None else None
    if state is None or (heard.after is not None and heard.after.override is not None):
        return "disconnected already"
    return f"counts at {shown(moment(state.due))} if it lasts until then (grace)"


_EXPLAINED: Final = {
    Kind.DISCONNECTED: _disconnected,
    Kind.CONNECTED: _connected,
    Kind.ALIVE: _alive,
    Kind.TRANSIENT: _transient,
}


def why_nothing(element: Element, verdict: str, settings: Settings, webhook: Webhook) -> str:
    """Why an event says nothing of its session's connection."""
    match verdict:
        case Verdict.NOT_JSON.value:
            return "the body is not JSON"
        case Verdict.PRESENCE.value:
            return "it tells of a contact or chat, not of the session"
        case Verdict.OWN_MESSAGE.value:
            return "the session made it itself, so it proves no connection"
        case Verdict.NO_SESSION.value | Verdict.NAMELESS.value:
            return _no_session(element, settings, webhook)
        case Verdict.UNMATCHED.value:
            return _unmatched(element, settings)
    if element.rule is None:
        return "the body is no JSON object"
    rule = settings.events[element.rule - 1]
    if rule.means is not None:
        return f"rule {element.rule} leaves this event out (unless)"
    word = stated_word(element, rule)
    if word is None:
        return f"rule {element.rule} finds no word under {_paths(rule.state)}" + _members(element)
    return f'rule {element.rule} ({_names(rule.event)}) does not list the word "{name_shown(word)}"'


def stated_word(element: Element, rule: Event) -> str | None:
    """The word under the members that the rule names for it, whatever it means."""
    return first_scalar(element.document, tuple(map(parse_path, rule.state))) if rule.means is None else None


def likely_members(element: Element) -> list[Member]:
    """Members that may hold the event's name or the word, but for the one that was found."""
    return [member for member in members(element.document) if member.value != element.reading.event]


def _no_session(element: Element, settings: Settings, webhook: Webhook) -> str:
    assert element.rule is not None
    paths = _paths(settings.events[element.rule - 1].session)
    if SESSION in webhook.path:
        return f"no session under {paths}, and none in the path: give it with --path"
    return f"no session under {paths}, and the webhook's path names none"


def _unmatched(element: Element, settings: Settings) -> str:
    event = element.reading.event
    if event is None:
        return f"no {_paths(settings.dialect.event)}" + _members(element)
    return f'no rule names the event "{name_shown(event)}"'


def _members(element: Element) -> str:
    """`; this body has …`, with the members that may hold what was looked for."""
    found = [f"`{member.name}: {member.value}`" for member in likely_members(element)]
    return f"; this body has {_listed(found, 'and')}" if found else ""


def _paths(paths: Sequence[str]) -> str:
    return _listed([f"`{path}`" for path in paths], "or") if paths else "any member (no `state` is configured)"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _listed(parts: Sequence[str], joint: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {joint} {parts[-1]}"


def shortened(text: str) -> str:
    """A name or word, cut where it is long."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
