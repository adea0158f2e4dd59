"""The verdict on an event, explained in a sentence: why it changed something, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from statusproxy.config.effect import FORM
from statusproxy.config.settings import Event, Settings, Webhook
from statusproxy.config.templates import SESSION
from statusproxy.config.units import format_duration
from statusproxy.learning.members import flag_connected
from statusproxy.rehearsal.elements import Element
from statusproxy.rehearsal.messages import Member
from statusproxy.rehearsal.moments import moment, shown
from statusproxy.rehearsal.readings import to_read
from statusproxy.rehearsal.vocabulary import members, name_shown
from statusproxy.status.fields import FALSE, MISSING, TRUE, Array, first_scalar, lookup, parse_path, usable_text
from statusproxy.status.model import DUPLICATE, LATE, RELEASED, REPEATED, STARTED, Change, Record, Release
from statusproxy.status.packing import MOST_FIELDS
from statusproxy.status.signals import Signal, SignalKind, Verdict

LONGEST: Final = 80
"""Characters of a name or word that a sentence repeats."""


NOTHING_TO_END: Final = "nothing to end: the list shows what the gateway says"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, and what it did to its session's record."""

    signal: Signal
    verdict: str
    change: Change | None
    before: Record | None
    after: Record | None
    repeats: bool = False
    """Whether the same was said of the same time before."""
    first_of_id: SignalKind | None = None
    """What the first event with the same id said; None where there was none."""

    @property
    def at(self) -> float | None:
        """The event's own time, also one that is far ahead."""
        return self.signal.ahead if self.signal.at is None else self.signal.at

    @property
    def contradicted(self) -> bool:
        """Whether it is a loss that counts for nothing, since something else was said of the same time or by its id."""
        if self.signal.kind is not SignalKind.DISCONNECTED:
            return False
        if self.verdict == DUPLICATE:
            return self.first_of_id not in (None, SignalKind.DISCONNECTED)
        return self.verdict == LATE and not self.repeats and self.meets_connected

    @property
    def meets_connected(self) -> bool:
        """Whether Connected is known of the very same time."""
        known = self.before
        return known is not None and known.verdict is SignalKind.CONNECTED and known.known_at == self.at


def explain(heard: Heard, settings: Settings) -> str:
    """Why a signal has this verdict."""
    if heard.verdict == DUPLICATE:
        return _duplicate(heard)
    if heard.verdict == LATE:
        return _late(heard, settings)
    match heard.change.what if heard.change is not None else None:
        case what if what == STARTED:
            return f"{to_read(settings.channels, heard.signal.word)} from now on"
        case what if what == REPEATED:
            return f"already disconnected; the correction starts again: {to_read(settings.channels, heard.signal.word)}"
        case what if what == RELEASED:
            assert heard.change is not None
            return (
                f"the correction ends ({heard.change.reason}): the list shows again what the gateway says{_tie(heard)}"
            )
    return _EXPLAINED[heard.signal.kind](heard, settings)


def _duplicate(heard: Heard) -> str:
    if heard.contradicted:
        assert heard.first_of_id is not None
        return f"an event with the same id came before, and that one meant {heard.first_of_id.value}; only it counts"
    return "an event with the same id came before"


def _late(heard: Heard, settings: Settings) -> str:
    known, at = heard.before, heard.at
    if known is None or at is None or heard.signal.kind is SignalKind.ALIVE:
        return "something newer, or equally new, is already known"
    if known.override is not None and heard.signal.kind is SignalKind.TRANSIENT:
        return "already disconnected, and a transient state does not change that"
    if heard.repeats and known.known_at <= at:
        return "the same event came before"
    if heard.contradicted:
        return (
            "an event with the same time says connected. The two contradict each other, and connected wins, so that "
            "nobody deletes a session that works"
        )
    if known.verdict is None:
        return "older than what is known" + _by_own_clock(heard, settings)
    if known.known_at == at:
        return f"an event with the same time says {known.verdict.value}, and that one counts"
    since = f"{known.verdict.value} since {shown(moment(known.known_at))}"
    return f"older than what is known: {since}{_by_own_clock(heard, settings)}"


def _by_own_clock(heard: Heard, settings: Settings) -> str:
    """What is added about a loss that is older than what is known, if only its sender's own clock shows that."""
    if settings.dialect.clock != "own" or heard.signal.kind not in (SignalKind.DISCONNECTED, SignalKind.TRANSIENT):
        return ""
    return "; that is by the sender's own clock (dialect.clock); a clock that was set back looks the same"


def _tie(heard: Heard) -> str:
    """What is added if the event that ends a correction has the same time as the loss."""
    standing = heard.before.override if heard.before is not None else None
    if standing is None or heard.signal.kind is not SignalKind.CONNECTED or standing.at != heard.at:
        return ""
    return "; both events have the same time, and then connected wins"


def _disconnected(heard: Heard, settings: Settings) -> str:
    grace = format_duration(settings.sessions.alive_grace)
    return f"a message came in more than {grace} (sessions.alive_grace) after it, so the session is connected"


def _connected(heard: Heard, settings: Settings) -> str:
    if heard.after is not None and heard.after.override is not None:
        if not settings.sessions.releases[Release.CONNECTED_EVENT.value]:
            return "the correction stays: sessions.releases.connected-event is off"
        return "the correction stays: the event is older than the transient state that lasted"
    if heard.before is not None and heard.before.transient is not None:
        return "the transient state ends before it counts"
    return NOTHING_TO_END


def _alive(heard: Heard, settings: Settings) -> str:
    if heard.after is None or heard.after.override is None:
        return NOTHING_TO_END
    if not settings.sessions.releases[Release.ALIVE.value]:
        return "the correction stays: sessions.releases.alive is off"
    grace = format_duration(settings.sessions.alive_grace)
    return f"no proof: it came less than {grace} (sessions.alive_grace) after the disconnect"


def _transient(heard: Heard, settings: Settings) -> str:
    override = heard.after.override if heard.after is not None else None
    if override is not None:
        return f"the correction continues: {to_read(settings.channels, override.word)}"
    state = heard.after.transient if heard.after is not None else None
    assert state is not None
    reads = to_read(settings.channels, heard.signal.word)
    return f"{reads} from {shown(moment(state.due))} on, if it lasts until then (grace)"


_EXPLAINED: Final = {
    SignalKind.DISCONNECTED: _disconnected,
    SignalKind.CONNECTED: _connected,
    SignalKind.ALIVE: _alive,
    SignalKind.TRANSIENT: _transient,
}


def why_nothing(element: Element, verdict: str, settings: Settings, webhook: Webhook) -> str:
    """Why an event says nothing of its session's connection."""
    match verdict:
        case Verdict.PRESENCE.value:
            return "it is about a contact or chat, not about the session"
        case Verdict.OWN_MESSAGE.value:
            return "the session sent it itself, so it proves no connection"
        case Verdict.NO_SESSION.value | Verdict.NAMELESS.value:
            return _no_session(element, settings, webhook)
        case Verdict.UNMATCHED.value:
            return _unmatched(element, settings)
    if element.rule is None:
        return "the body is not a JSON object"
    rule = settings.events[element.rule - 1]
    if rule.means is not None:
        return f"rule {element.rule} leaves this event out (unless)"
    word = stated_word(element, rule)
    if word is None:
        boolean = _unread_boolean(element, rule)
        if boolean is not None:
            return (
                f"`{boolean.name}` is {boolean.value}, and rule {element.rule} ({_names(rule.event)}) lists neither "
                f'"{TRUE}" nor "{FALSE}": write which of them means disconnected, and which connected'
            )
        no_text = _no_text(element, rule.state)
        return f"rule {element.rule} finds no word under {_paths(rule.state)}" + no_text + _members(element)
    return f'rule {element.rule} ({_names(rule.event)}) does not list the word "{name_shown(word)}"'


def why_not_json(body: bytes, packed: str) -> str:
    """Why a body cannot be read where `dialect.body` is `packed`; for a form, what reads it."""
    holders = [name for name, value in _form(body) if _NAME.fullmatch(name) and value.lstrip().startswith(("{", "["))]
    wanted = packed.removeprefix(FORM) if packed.startswith(FORM) else None
    if wanted in holders:
        return f"the body is a form, and what its member `{wanted}` holds is not JSON"
    missed = (
        "the body is not JSON" if wanted is None else f"the body is neither JSON nor a form with JSON in `{wanted}`"
    )
    if holders:
        return f'{missed}; it is a form with JSON in `{holders[0]}`: set `dialect: {{body: "{FORM}{holders[0]}"}}`'
    if _PLAIN_FORM.fullmatch(body):
        return f"{missed}; it is a form, of which no member holds JSON: such a form is not read"
    return missed


_NAME: Final = re.compile(r"[\w.-]{1,40}")
_PLAIN_FORM: Final = re.compile(rb"[\w.%+-]+=[^\s&]*(?:&[^\s&]*)*\s*")


def _form(body: bytes) -> list[tuple[str, str]]:
    """The members of a form; of anything else, what it would be as one."""
    try:
        return parse_qsl(body.decode(errors="replace"), max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


def stated_word(element: Element, rule: Event) -> str | None:
    """The word under the members that the rule names for it; it may mean anything."""
    if rule.means is not None:
        return None
    return first_scalar(element.document, tuple(map(parse_path, rule.state)), rule.rule().booleans)


def passes_over_loss(element: Element, rule: Event) -> bool:
    """Whether a boolean that may say disconnected stands where the rule looks for its words, and is none of them."""
    boolean = _unread_boolean(element, rule) if stated_word(element, rule) is None else None
    return boolean is not None and flag_connected(boolean.name.rpartition(".")[2]) is not (boolean.value == TRUE)


def _unread_boolean(element: Element, rule: Event) -> Member | None:
    """The first boolean where a rule looks for its words, if no boolean is one of them."""
    if rule.rule().booleans:
        return None
    values = ((path, lookup(element.document, parse_path(path))) for path in rule.state)
    return next((Member(path, TRUE if value else FALSE) for path, value in values if type(value) is bool), None)


def likely_members(element: Element) -> list[Member]:
    """Members that may hold the event's name or the word, except for the one that was found."""
    return [member for member in members(element.document) if member.value != element.reading.event]


def _no_session(element: Element, settings: Settings, webhook: Webhook) -> str:
    assert element.rule is not None
    session = settings.events[element.rule - 1].session
    paths = _paths(session) + _no_text(element, session)
    if SESSION in webhook.path:
        return f"no session under {paths}, and none in the path: give it with --path"
    return f"no session under {paths}, and the webhook's path names none"


def _unmatched(element: Element, settings: Settings) -> str:
    event = element.reading.event
    if event is None:
        named = settings.dialect.event
        return (_no_text(element, named).removeprefix("; ") or f"no {_paths(named)}") + _members(element)
    return f'no rule names the event "{name_shown(event)}"'


def _no_text(element: Element, paths: Sequence[str]) -> str:
    """`; … is a list, not a text`, of the first of these members that is there; its value is not shown."""
    for path in paths:
        value = lookup(element.document, parse_path(path))
        if path and value is not MISSING and usable_text(value) is None:
            return f"; `{path}` is {_kind(value)}" + ("" if isinstance(value, str) else ", not a text")
    return ""


def _kind(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list() | Array():
            return "a list"
        case bool():
            return "true or false"
        case None:
            return "null"
        case str():
            return "empty, too long or broken"
    return "no usable number"


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
