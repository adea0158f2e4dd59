"""A commented draft preset from what was learned: YAML that is valid as it is, with a TODO at each guess."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from statusproxy.learning import guesses, times
from statusproxy.learning.lists import ListShape
from statusproxy.learning.observation import NAMELESS, Group, Observation
from statusproxy.learning.words import Meaning, meaning, segments
from statusproxy.status.fields import Path

_LISTED: Final = 30
"""Event names that one comment lists."""

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_SPECIAL: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})

_HEAD: Final = """\
# A draft preset, made by `statusproxy learn` from {events} and {answers}.
# Members and words are as they came; what they mean is guessed from other gateways' words. Go through each TODO: a word
# under `disconnected` that does not mean that a session is lost leads people to delete working sessions.
# To use it: save it beside config.yaml, write `preset: ./mine.yaml` there, and run `statusproxy check`.
"""

_WEBHOOKS: Final = """\
# The path on which the gateway's events come by. They go on to the gateway; for another receiver add
# `forward_to: http://hub.example/hook`, for none `forward: false` (the gateway then posts to the proxy).
"""


def draft(seen: Observation) -> str:
    """The draft, as YAML. It holds names, words and counts: no id, no number and no text of the traffic."""
    return "".join(pieces(seen))


def pieces(seen: Observation) -> Iterator[str]:
    """The draft in pieces, each the work of some milliseconds; between them more may be learned."""
    answers = sum(shape.answers for shape in seen.answers.routes.values())
    yield _HEAD.format(events=_times(seen.events), answers=_answers(answers)) + "\n"
    yield _webhooks(seen)
    if seen.events:
        by = guesses.event_member(seen)
        yield "\n" + _dialect(seen, by) + "\n"
        yield from _events(seen, by)
    else:
        yield "\n# events: none came. TODO: is `webhooks` right, and the sender trusted? `statusproxy doctor` tells.\n"
    yield "\n"
    yield from _channels(seen)
    yield "\n" + _RECONNECT


_RECONNECT: Final = """\
# TODO: the requests that delete, create and start a session, and the one that shows its QR code; see config.yaml.
# reconnect:
#   delete: DELETE /sessions/{session}
#   create: POST /sessions
#   qr: GET /sessions/{session}/qr
"""


def _webhooks(seen: Observation) -> str:
    lines = [_WEBHOOKS, "webhooks:\n"]
    for path, count in sorted(seen.paths.items(), key=lambda each: -each[1]):
        lines.append(f"  - path: {_scalar(path)}    # {_times(count)}\n")
    if not seen.paths:
        lines.append("  - path: /webhook    # TODO: the path of the webhook's URL\n")
    return "".join(lines)


def _dialect(seen: Observation, by: Path) -> str:
    lines = ["# Where events name things.\n", "dialect:\n"]
    if by == NAMELESS:
        lines.append("  event: [event]    # TODO: no member was found that names the event\n")
    else:
        named = [group for group in guesses.groups(seen, by) if group.name is not None]
        count = sum(group.count for group in guesses.groups(seen, by))
        lines.append(
            f"  event: {_paths([by])}    # in {count} of {_times(seen.events)}; {_number(len(named), 'name')}\n"
        )
    found = guesses.times_of(seen)
    usable = [(path, member) for path, member in found if member.times is not None and member.times.usable]
    for number, (path, member) in enumerate(usable):
        stated = member.times
        assert stated is not None
        far = times.span(stated.lowest, stated.highest)
        mark = "  time: " + _paths([path]) if number == 0 else f"  # or {_path(path)}:"
        lines.append(f"{mark}    # {', '.join(sorted(stated.forms))}; in {_times(stated.count)}; {far}\n")
    if usable and usable[0][1].times is not None and _is_far(usable[0][1].times):
        lines.append(
            "  # TODO: far from our clock. If that is always so, the gateway writes local time: `clock: own`\n"
        )
    if not usable:
        lines.append("  time: []    # no member holds a time with its zone\n")
    ids = guesses.event_ids(seen)
    lines.append(f"  event_id: {_paths(ids[:1])}    # {'never the same twice' if ids else 'none found'}\n")
    own = guesses.own_marks(seen)
    if own:
        counts = ", ".join(f"{_path(path)} true {member.true}, false {member.false}" for path, member in own)
        lines.append(f"  own: {_paths(path for path, _ in own)}    # TODO: marks of own messages? {counts}\n")
    forms = {name: count for name, count in seen.forms.items() if _PLAIN.fullmatch(name) and "." not in name}
    for number, (name, count) in enumerate(forms.items()):
        lines.append(f"  {'# or ' if number else ''}body: form:{name}    # {_times(count)} came in such a form\n")
    return "".join(lines)


def _is_far(stated: times.Times) -> bool:
    return stated.lowest is not None and stated.highest is not None and (stated.lowest < -300 or stated.lowest > 600)


def _events(seen: Observation, by: Path) -> Iterator[str]:
    found = guesses.groups(seen, by)
    begun = False
    silent: list[Group] = []
    transient = guesses.transient_names(group.name for group in found if group.name is not None)
    yield "# Which events tell of a session's connection.\n"
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
    if not begun:
        yield _NO_EVENTS
    yield from undecided
    yield from _silent(silent, by)


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
    states = guesses.states(group, by)
    says = Meaning.TRANSIENT if is_transient else meaning(group.name)
    about_contacts = "presence" in (segments(group.name) or ())
    decided = [state for state in states if state.decided]
    if about_contacts or (says is None and not decided and not _may_tell(group, states)):
        return None
    sessions = guesses.session_members(seen, group, by)
    head = f"  - event: {_scalar(group.name)}    # {_times(group.count)}\n"
    session = _session(sessions)
    if says is Meaning.ALIVE:
        return head + session + "    means: alive    # something came in; own messages do not count\n"
    if decided and not (says and says is not Meaning.TRANSIENT and _only(decided[0].words, says)):
        return head + session + _state(decided[0], others=states)
    if says is not None:
        return head + session + f"    means: {says.value}    # TODO: guessed by the name\n"
    text = (
        head
        + session
        + "".join(f"    state: {_paths([state.path])}    # {_counts(state.words)}\n" for state in states[:1])
    )
    return (
        "  # TODO: what do its words mean? Then take out the `#`, and write them under disconnected and connected:\n"
        + ("".join(f"  # {line.removeprefix('  ')}\n" for line in text.splitlines()))
    )


def _only(words: Mapping[str, int], says: Meaning) -> bool:
    """Whether the words say nothing beyond what the event's name says."""
    return all(meaning(word) in (None, says) for word in words)


def _may_tell(group: Group, states: list[guesses.State]) -> bool:
    """Whether a person should look at an event whose words nobody knows."""
    parts = set(segments(group.name or "") or ())
    return bool(states) and bool(parts & {"connection", "session", "status", "state", "instance", "link", "device"})


def _session(sessions: list[tuple[Path, float]]) -> str:
    if not sessions:
        return "    session: [session]    # TODO: no member was found that names the session\n"
    best = [each for each in sessions if each[1]] or sessions[:2]
    how = ", ".join(f"{share:.0%} are ids of the list" if share else "guessed by its name" for _, share in best[:3])
    todo = "" if best[0][1] else "TODO: "
    return f"    session: {_paths(path for path, _ in best[:3])}    # {todo}{how}\n"


def _state(state: guesses.State, others: list[guesses.State]) -> str:
    lines = [f"    state: {_paths([state.path])}    # {_counts(state.words)}\n"]
    for key, kind in (
        ("disconnected", Meaning.DISCONNECTED),
        ("connected", Meaning.CONNECTED),
        ("transient", Meaning.TRANSIENT),
    ):
        found = state.meaning(kind)
        if found:
            lines.append(f"    {key}: {_flow(found)}    # TODO: guessed\n")
    unknown = state.meaning(None)
    if unknown:
        lines.append(
            f"    # TODO: what do these mean? Left out, they say nothing: {_counts(_of(state.words, unknown))}\n"
        )
    if state.hidden:
        lines.append(f"    # {_number(state.hidden, 'value')} there not shown: no plain word, or seen too rarely\n")
    lines.extend(
        f"    # also: {_path(other.path)}: {_counts(other.words)}\n" for other in others if other.path != state.path
    )
    return "".join(lines)


def _silent(silent: list[Group], by: Path) -> Iterator[str]:
    named = {group.name: group.count for group in silent if group.name is not None}
    if named:
        yield "# These say nothing of a connection, as far as their words are known:\n"
        for start in range(0, min(len(named), _LISTED), 6):
            part = dict(list(named.items())[start : min(start + 6, _LISTED)])
            yield f"#   {_counts(part)}\n"
        if len(named) > _LISTED:
            yield f"#   and {len(named) - _LISTED} more\n"
    hidden = sum(group.count for group in silent if group.name is None)
    if hidden and by != NAMELESS:
        yield f"# {_times(hidden)} whose name is not shown: no plain word, or seen too rarely.\n"
    elif hidden:
        yield f"# {_times(hidden)} without a name.\n"


def _channels(seen: Observation) -> Iterator[str]:
    if not seen.answers.routes:
        yield "# channels: TODO: no answer with a list of sessions came by. Ask for the list through the proxy.\n"
        return
    told, lost = guesses.told_ids(seen), guesses.lost_words(seen)
    begun = False
    others: list[str] = []
    yield "# The answers that are corrected.\n"
    for route, shape in list(seen.answers.routes.items()):
        text, is_whole = _channel(route, shape, told, lost)
        if is_whole:
            yield text if begun else f"channels:\n{text}"
            begun = True
        else:
            others.append(text)
            yield ""
    yield from others


def _channel(route: str, shape: ListShape, told: set[int], lost: Mapping[str, int]) -> tuple[str, bool]:
    """An entry of `channels`, and whether it is whole; else a comment."""
    ids = guesses.list_ids(shape, told)
    status = guesses.states(shape, NAMELESS)
    flags = guesses.flags(shape)
    what = "one session" if shape.one else f"{_number(shape.elements, 'element')}"
    head = f"  - path: {_scalar(route)}    # {_answers(shape.answers)}, {what}\n"
    if "{_}" in route:
        head = f"  # TODO: {{_}} is a segment that is not shown: an id ({{session}}), a secret?\n{head}"
    sets = {_path(path): "false" for path, _ in flags}
    words: dict[str, int] = {}
    for state in status:
        if state.decided or not flags:
            sets[_path(state.path)] = _scalar(guesses.lost_word(state, lost))
            words |= {word: words.get(word, 0) + count for word, count in state.words.items()}
    if not sets or (not ids and not shape.one):
        missing = "a member that tells a state" if ids else "a member that tells the sessions apart"
        known = ", ".join(_path(path) for path in list(shape.members)[:20] if guesses.is_writable(path))
        return f"# {_scalar(route)}: {_answers(shape.answers)}, without {missing}; members: {known}\n", False
    best = [path for path, share in ids if share] or [path for path, _ in ids[:2]]
    lines = [head, f"    list: [{_path(shape.path)}]\n"]
    how = ", ".join(f"{share:.0%} in events" for path, share in ids if path in best and share)
    lines.append(f"    id: {_paths(best or [('id',)])}    # {how or 'TODO: guessed by its name'}\n")
    seen_words = f"; {_counts(words)}" if words else ""
    lines.append(
        f"    set: {{{', '.join(f'{name}: {value}' for name, value in sets.items())}}}    # TODO: guessed{seen_words}\n"
    )
    kept = [word for word in words if meaning(word) is not Meaning.CONNECTED]
    found = [word for word in words if meaning(word) is Meaning.CONNECTED]
    if kept:
        lines.append(f"    keep: {_flow(kept)}    # TODO: words that say already that it is not connected\n")
    if found:
        lines.append(f"    connected: {_flow(found)}\n")
    if "{_}" in route:  # a person must say what it is
        return "".join(f"# {line}" for line in "".join(lines).splitlines(keepends=True)), False
    return "".join(lines), True


def _of(counts: Mapping[str, int], words: Iterable[str]) -> dict[str, int]:
    return {word: counts[word] for word in words}


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counts.items())


def _number(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _times(count: int) -> str:
    return _number(count, "event")


def _answers(count: int) -> str:
    return _number(count, "answer")


def _path(path: Path) -> str:
    return _scalar(".".join(path)) if path else '""'


def _paths(paths: Iterable[Path]) -> str:
    return f"[{', '.join(map(_path, paths))}]"


def _flow(words: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, words))}]"


def _scalar(text: str) -> str:
    """A text in YAML, in quotes where it would be something else without."""
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _SPECIAL
    if plain or (text.startswith("/") and re.fullmatch(r"[A-Za-z0-9_./*{}-]+", text)):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
