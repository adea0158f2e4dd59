"""A commented draft preset from what was learned: YAML that is valid as it is, with a TODO at each guess."""

from collections.abc import Collection, Iterator
from typing import Final

from statusproxy.learning import channel_draft, guesses, members, notation, times
from statusproxy.learning.observation import NAMELESS, Group, Observation
from statusproxy.learning.shapes import Cut
from statusproxy.learning.words import Meaning, meaning, segments
from statusproxy.status.fields import Path

_LISTED: Final = 30
"""Event names that one comment lists."""

_HEAD: Final = """\
# A draft preset, made by `statusproxy learn` from {events} and {answers}.
# Members and words are as they came; what they mean is guessed from other gateways' words. Go through each TODO: a word
# under `disconnected` that does not mean that a session is lost leads people to delete working sessions.
# Save it as mine.yaml. To try it: `statusproxy try --preset ./mine.yaml --event FILE --list FILE`. To use it: write
# `preset: ./mine.yaml` into config.yaml beside it, and run `statusproxy check`.
"""

_WEBHOOKS: Final = """\
# The path on which the gateway's events arrive. They are forwarded to the gateway; for another receiver add
# `forward_to: http://hub.example/hook`, for none `forward: false` (the gateway then posts to the proxy).
"""


def draft(seen: Observation, known: Collection[Path]) -> str:
    """The draft, as YAML. It holds names, words and counts: no id, no number and no text of the traffic.

    `known` are the marks of own messages that the proxy looks for without being told.
    """
    return "".join(pieces(seen, known))


def pieces(seen: Observation, known: Collection[Path]) -> Iterator[str]:
    """The draft in pieces, each the work of some milliseconds; between them more may be learned. `known` as before."""
    answers = sum(shape.answers for shape in seen.answers.routes.values())
    yield _HEAD.format(events=notation.events(seen.events), answers=notation.answers(answers)) + "\n"
    yield _webhooks(seen)
    if seen.events:
        by = guesses.event_member(seen)
        yield "\n" + _dialect(seen, by, known) + "\n"
        yield from _events(seen, by)
        yield _matching(seen)
    else:
        yield "\n# events: none came. TODO: is `webhooks` right, and the sender trusted? See `statusproxy doctor`.\n"
    yield "\n"
    yield from channel_draft.entries(seen)
    yield "\n" + _reconnect(seen)


def _reconnect(seen: Observation) -> str:
    qr = channel_draft.qr_routes(seen)
    return _RECONNECT.format(qr=qr[0] if qr else "/sessions/{session}/qr")


_RECONNECT: Final = """\
# TODO: the requests that delete, create and start a session, and the one that shows its QR code; see config.yaml.
# reconnect:
#   delete: DELETE /sessions/{{session}}
#   create: POST /sessions
#   qr: GET {qr}
"""


def _webhooks(seen: Observation) -> str:
    lines = [_WEBHOOKS, "webhooks:\n"]
    for path, count in sorted(seen.paths.items(), key=lambda each: -each[1]):
        todo = (
            "; TODO: {_} is a segment that is not shown; write it, or {session} for an id"
            if notation.hides(path)
            else ""
        )
        lines.append(f"  - path: {notation.scalar(path)}    # {notation.events(count)}{todo}\n")
    if not seen.paths:
        lines.append("  - path: /webhook    # TODO: the path of the webhook's URL\n")
    return "".join(lines)


def _dialect(seen: Observation, by: Path, known: Collection[Path]) -> str:
    lines = ["# Where events name things.\n", "dialect:\n"]
    speaking = guesses.speaking(seen, by)
    if speaking is not None:
        lines.append(_SPEAKING)
        lines.append(f"  event: {notation.paths([by, speaking.path] if by else [speaking.path])}\n")
    elif by == NAMELESS:
        lines.append("  event: [event]    # TODO: no member was found that names the event\n")
    else:
        named = [group for group in guesses.groups(seen, by) if group.name is not None]
        count = sum(group.count for group in guesses.groups(seen, by))
        lines.append(
            f"  event: {notation.paths([by])}    # in {count} of {notation.events(seen.events)};"
            f" {notation.number(len(named), 'name')}\n"
        )
    found = guesses.times_of(seen)
    usable = [(path, member) for path, member in found if member.times is not None and member.times.usable]
    for number, (path, member) in enumerate(usable):
        stated = member.times
        assert stated is not None
        far = times.span(stated.lowest, stated.highest)
        mark = "  time: " + notation.paths([path]) if number == 0 else f"  # or {notation.dotted(path)}:"
        lines.append(f"{mark}    # {', '.join(sorted(stated.forms))}; in {notation.events(stated.count)}; {far}\n")
    if usable and usable[0][1].times is not None and _is_far(usable[0][1].times):
        lines.append(
            "  # TODO: far from our clock. If that is always so, the gateway writes local time: `clock: own`\n"
        )
    if not usable:
        lines.append("  time: []    # no member holds a time with its zone\n")
    ids = guesses.event_ids(seen)
    lines.append(f"  event_id: {notation.paths(ids[:1])}    # {'never the same twice' if ids else 'none found'}\n")
    own = guesses.own_marks(seen, known)
    if own:
        counts = ", ".join(f"{notation.dotted(path)} true {member.true}, false {member.false}" for path, member in own)
        lines.append(f"  own: {notation.paths(path for path, _ in own)}    # TODO: marks of own messages? {counts}\n")
    forms = {name: count for name, count in seen.forms.items() if notation.is_plain(name) and "." not in name}
    for number, (name, count) in enumerate(forms.items()):
        lines.append(
            f"  {'# or ' if number else ''}body: form:{name}    # {notation.events(count)} came in such a form\n"
        )
    return "".join(lines)


_SPEAKING: Final = """\
  # TODO: events came that no member names. The name is read from the body only. If it is in a header or in the
  # path, the state is used instead: its words are the events' names below.
"""


def _is_far(stated: times.Times) -> bool:
    return stated.lowest is not None and stated.highest is not None and (stated.lowest < -300 or stated.lowest > 600)


def _events(seen: Observation, by: Path) -> Iterator[str]:
    found = guesses.groups(seen, by)
    begun = False
    silent: list[Group] = []
    transient = guesses.transient_names(group.name for group in found if group.name is not None)
    yield "# Which events are about a session's connection.\n"
    undecided: list[str] = []
    for group in found:
        rule = None if group.name is None else _rule(seen, group, by, is_transient=group.name in transient)
        if rule is None:
            silent.append(group)
            yield ""
        elif rule.startswith("  #"):
            undecided.append(rule)
        else:
            yield rule if begun else f"events:\n{rule}"
            begun = True
    speaking = guesses.speaking(seen, by)
    if speaking is not None:
        text = _spoken(seen, speaking)
        yield text if begun else f"events:\n{text}"
        begun = True
    if not begun:
        yield _NO_EVENTS
    yield from undecided
    yield from _silent(silent, by, spoken=speaking is not None)


def _spoken(seen: Observation, state: guesses.State) -> str:
    """Rules for events whose state stands for their name."""
    group = next(group for group in seen.groups.values() if group.by == NAMELESS)
    session = _session(guesses.session_members(seen, group, NAMELESS), guesses.cut_members(group), seen)
    lines: list[str] = []
    for kind in (Meaning.DISCONNECTED, Meaning.CONNECTED, Meaning.TRANSIENT):
        found = state.meaning(kind)
        if found:
            lines.append(f"  - event: {notation.flow(found)}    # {notation.of(state.words, found)}\n{session}")
            lines.append(f"    means: {kind.value}    # TODO: guessed\n")
    unknown = state.meaning(None)
    if unknown:
        lines.append(f"  # TODO: what do these mean? Left out, they say nothing: {notation.of(state.words, unknown)}\n")
    others = [other for other in guesses.states_or_flags(group, NAMELESS) if other.path != state.path]
    lines.extend(f"  # also: {notation.dotted(other.path)}: {notation.counted(other.words)}\n" for other in others)
    return "".join(lines)


_NO_EVENTS: Final = """\
# TODO: no event came with a word that is known to mean lost or found. A rule looks like this:
# events:
#   - event: NAME
#     session: [session]
#     state: [status]
#     disconnected: [WORD]
#     connected: [WORD]
"""


def _rule(seen: Observation, group: Group, by: Path, *, is_transient: bool) -> str | None:
    """A rule for events of one name; None where they say nothing of a connection, as far as words are known."""
    assert group.name is not None
    states = guesses.states(group, by) if _is_other(group.name) else guesses.states_or_flags(group, by)
    says = Meaning.TRANSIENT if is_transient else meaning(group.name)
    about_contacts = "presence" in (segments(group.name) or ())
    decided = [state for state in states if state.decided]
    if about_contacts or (says is None and not decided and not _may_tell(group, states)):
        return None
    sessions = guesses.session_members(seen, group, by)
    head = f"  - event: {notation.scalar(group.name)}    # {notation.events(group.count)}\n"
    session = _session(sessions, guesses.cut_members(group), seen)
    if says is Meaning.ALIVE:
        return head + session + "    means: alive    # a message came in; own messages do not count\n"
    if decided and not (says and says is not Meaning.TRANSIENT and _only(decided[0], says)):
        return head + session + _state(decided[0], others=states)
    if says is not None:
        return head + session + f"    means: {says.value}    # TODO: guessed by the name\n"
    text = (
        head
        + session
        + "".join(
            f"    state: {notation.paths([state.path])}    # {notation.counted(state.words)}\n" for state in states[:1]
        )
    )
    return (
        "  # TODO: what do its words mean? Then remove the `#`, and write them under disconnected and connected:\n"
        + ("".join(f"  # {line.removeprefix('  ')}\n" for line in text.splitlines()))
    )


def _only(state: guesses.State, says: Meaning) -> bool:
    """Whether the words that came say nothing beyond what the event's name says."""
    return all(state.means(word) in (None, says) for word, count in state.words.items() if count)


_OTHER: Final = frozenset({
    "message", "messages", "msg", "msgs", "ack", "qr", "qrcode", "presence", "contact", "contacts", "chat", "chats",
    "group", "groups", "call", "calls",
})  # fmt: skip


def _is_other(name: str) -> bool:
    """Whether an event is about something else than a session: a contact that is `online` is not a session."""
    return not _OTHER.isdisjoint(segments(name) or ())


def _may_tell(group: Group, states: list[guesses.State]) -> bool:
    """Whether a person should look at an event whose words are unknown."""
    parts = set(segments(group.name or "") or ())
    return bool(states) and bool(parts & {"connection", "session", "status", "state", "instance", "link", "device"})


def _session(sessions: list[tuple[Path, float]], cuts: list[tuple[Path, Cut, int]], seen: Observation) -> str:
    if cuts and not any(share for _, share in sessions):
        path, cut, count = cuts[0]
        return (
            f"    session: {notation.paths([path])}    # TODO: in {notation.events(count)} an id of the list"
            f" is there, but only as {cut.segment}\n"
        )
    if not sessions:
        return "    session: [session]    # TODO: no member was found that names the session\n"
    best = [each for each in sessions if each[1]] or sessions[:2]
    guessed = "guessed by its name" + (", no id of the list" if seen.ids.listed else "")
    how = ", ".join(f"{share:.0%} are ids of the list" if share else guessed for _, share in best[:3])
    unusual = sum(not members.names_session(path[-1]) for path, _ in best)
    todo = "" if best[0][1] and unusual < 2 else "TODO: "
    return f"    session: {notation.paths(path for path, _ in best[:3])}    # {todo}{how}\n"


def _matching(seen: Observation) -> str:
    """What to do where the ids of lists and events could not be matched; nothing where they were."""
    if not seen.ids.listed and all(shape.one for shape in seen.answers.routes.values()):
        return _NO_LIST
    if any(member.share_of(seen.ids.listed) for member in seen.all.members.values()):
        return ""
    if guesses.cut_members(seen.all):
        return _CUT
    return _NO_MATCH


_NO_LIST: Final = """\
# No list came, so no id could be compared: a member that holds the session is guessed by its name alone. With the
# list of sessions (through the proxy, or with --list and --route) it is found by the ids.
"""

_CUT: Final = """\
# TODO: events hold the ids of the list only within longer texts, and no key cuts a member's text. If the webhook's URL
# can name the session, write {session} into its path, or {session}:{_} if something else is beside it. If not,
# write each pair into config.yaml: `sessions: {aliases: {"the text in the event": "the id in the list"}}`.
"""

_NO_MATCH: Final = """\
# TODO: no id of the list is in any event. Was the list of the same gateway, and of the sessions that the events are
# about? If the two have different names for a session, write each pair into config.yaml:
# `sessions: {aliases: {"the id in the event": "the id in the list"}}`. If events name no session, let the webhook's URL
# do it: a path with {session}.
"""


def _state(state: guesses.State, others: list[guesses.State]) -> str:
    lines = [f"    state: {notation.paths([state.path])}    # {notation.counted(state.words)}\n"]
    for key, kind in (
        ("disconnected", Meaning.DISCONNECTED),
        ("connected", Meaning.CONNECTED),
        ("transient", Meaning.TRANSIENT),
    ):
        found = state.meaning(kind)
        if found:
            lines.append(f"    {key}: {notation.flow(found)}    # TODO: guessed\n")
        elif kind is Meaning.DISCONNECTED:
            lines.append(_NO_LOSS)
    unknown = state.meaning(None)
    if unknown:
        lines.append(
            f"    # TODO: what do these mean? Left out, they say nothing: {notation.of(state.words, unknown)}\n"
        )
    if state.hidden:
        lines.append(
            f"    # {notation.number(state.hidden, 'value')} there not shown: no plain word, seen too rarely, or with"
            " too few known words beside it\n"
        )
    lines.extend(
        f"    # also: {notation.dotted(other.path)}: {notation.counted(other.words)}\n"
        for other in others
        if other.path != state.path
    )
    return "".join(lines)


_NO_LOSS: Final = """\
    # TODO: no word that came is known to mean lost. Which one does? Without it this rule corrects nothing:
    # disconnected: [WORD]
"""

_SILENT: Final = """\
# By their names, these say nothing about a connection. `try` calls them unmatched; they need no rule:
"""

_HIDDEN: Final = """\
# {events} whose name is not shown: no plain technical word, or seen too rarely to tell it from someone's text.
# TODO: look at `{member}` in your captures. A name that is about a connection needs a rule above; the others need none.
"""


def _silent(silent: list[Group], by: Path, *, spoken: bool) -> Iterator[str]:
    named = {group.name: group.count for group in silent if group.name is not None}
    if named:
        yield _SILENT
        for start in range(0, min(len(named), _LISTED), 6):
            part = dict(list(named.items())[start : min(start + 6, _LISTED)])
            yield f"#   {notation.counted(part)}\n"
        if len(named) > _LISTED:
            yield f"#   and {len(named) - _LISTED} more\n"
    hidden = sum(group.count for group in silent if group.name is None)
    if hidden and by != NAMELESS:
        yield _HIDDEN.format(events=notation.events(hidden), member=notation.dotted(by))
    elif hidden and not spoken:
        yield f"# {notation.events(hidden)} without a name.\n"
