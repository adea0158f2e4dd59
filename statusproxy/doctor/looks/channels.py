"""The channel lists in the gateway's real answers: readable, of the configured shape, and what would be corrected."""

import asyncio
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import msgspec

from statusproxy.admin.messages import Session
from statusproxy.config import units
from statusproxy.config.guidance import Guidance
from statusproxy.config.settings import Channels, Settings
from statusproxy.config.templates import SESSION
from statusproxy.doctor.asking import Answer, Asker, Askers, Credentials
from statusproxy.doctor.findings import Finding, Ids, Level, Lines, States, listed, note, ok, problem, took, warning
from statusproxy.doctor.looks import other_preset, shapes
from statusproxy.doctor.looks.singles import judge, singles
from statusproxy.doctor.paste import Written
from statusproxy.doctor.subject import Subject
from statusproxy.observe.visible import delimited
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.channels import rewrite
from statusproxy.status.fields import fold_id, fold_word, lookup, parse, parse_path
from statusproxy.status.identity import Aliases, ChannelIds
from statusproxy.status.model import FOR_ALL_ROUTES

#: How many sessions are reported one by one; of all others, only their number is reported.
_TOLD = 20

#: Sessions that are no channels for which a channel like them is looked for; each is compared with every channel.
_COMPARED = 100

#: Seconds beyond which a list is slow: the hub's health check gives up after 15, its default is 30.
_SLOW = 10.0


#: Seconds that a list may take here: beyond `_SLOW`, and before a person thinks that the doctor hangs.
PATIENCE = 11.0


async def look(subject: Subject) -> list[Finding]:
    """Ask the gateway for its lists, where it answers."""
    if not subject.gateway_answers:
        return [] if subject.gateway_answers is None else [note("channels.not-checked")]
    sessions = None if subject.sessions is None else subject.sessions.sessions
    with closing(Askers(subject.settings)) as askers:
        return await lists(
            subject.settings, askers.gateway, subject.credentials, sessions, subject.written, subject.guidance
        )


async def lists(
    settings: Settings,
    asker: Asker,
    credentials: Credentials,
    sessions: Sequence[Session] | None,
    written: Written = Written(),  # noqa: B008 - a value that no one changes
    told: Guidance = Guidance(),  # noqa: B008 - a frozen value
) -> list[Finding]:
    """Ask for every list, then about one session; look through the first list's ids and corrections as well.

    `sessions` is what the running proxy knows, None where it could not be asked; `written` is what the file says,
    `told` what the preset says of the gateway.
    """
    findings: list[Finding] = []
    entries = [entry for entry in settings.channels if SESSION not in entry.path]
    limit, preset = settings.limits.corrected, None if written.has("channels") else settings.preset
    asked = [
        _list(entry, asker, credentials, limit, number == 0, written, preset) for number, entry in enumerate(entries)
    ]
    ids = [one.session for one in sessions or ()]
    answered = not entries
    # All at once: each may take as long as the gateway is given for a list.
    for number, (entry, (body, said)) in enumerate(zip(entries, await asyncio.gather(*asked), strict=True)):
        first = number == 0
        findings += said
        if body is not None and first:
            listing, aliases = ChannelList(body, entry.rule()), settings.sessions.aliases
            listing.read()
            ids, answered = list(listing.ids.exact), True
            findings += own_words(entry.path, listing, told)
            if listing.whole:  # one session's answer says nothing of the others
                findings += corrections(listing, sessions, aliases)
                findings += event_ids(sessions or (), listing.ids, aliases, written)
    if answered:

        async def ask(path: str) -> Answer | Finding:
            found = await _asked(path, asker, credentials)
            if isinstance(found, Answer) and found.error is not None:
                return _unread(path, found, settings.limits.corrected, written)
            return found

        findings += await singles(settings.channels, ask, ids)
    findings += transients(sessions or ())
    if told.bring_back and any(one.shows == "disconnected" for one in sessions or ()):
        findings.append(note("channels.way-back", title=told.title, routes=listed(told.bring_back)))
    return _together(findings, written)


class _Change(NamedTuple):
    """What a finding would have written into the entry of a path."""

    path: str
    values: Mapping[str, Any]


def _together(findings: Sequence[Finding], written: Written) -> list[Finding]:
    """The findings, each with a block that has the changes of all: of two that differ, the second undoes the first."""
    changes: dict[str, dict[str, Any]] = {}
    for finding in findings:
        change = finding.facts.get("lines")
        if isinstance(change, _Change):
            changes[change.path] = {**changes.get(change.path, {}), **change.values}
    lines = written.with_entries("channels", changes)
    return [
        msgspec.structs.replace(finding, facts={**finding.facts, "lines": lines})
        if isinstance(finding.facts.get("lines"), _Change)
        else finding
        for finding in findings
    ]


async def _list(
    entry: Channels,
    asker: Asker,
    credentials: Credentials,
    limit: int,
    first: bool,
    written: Written,
    preset: str | None,
) -> tuple[bytes | None, list[Finding]]:
    """Read one list: its body if it fits, and the findings about it. A list that is not the `first` may be missing.

    `preset` is the one that says how the list is read; None if the file itself does.
    """
    header, path = credentials.header, entry.path
    answer = await _asked(path, asker, credentials)
    if isinstance(answer, Finding):
        return None, [answer]
    if entry.one and not first and not 200 <= answer.status < 300:  # it may want a secret of the session's own
        return None, [note("channels.single-refused", path=path, status=answer.status)]
    facts = {"path": path, "status": answer.status, "header": header}
    if answer.status in (401, 403):
        if credentials.secret is None:
            return None, [warning("channels.secret-wanted", **facts)] if first else []
        return None, [problem("channels.secret-wrong", **facts)] if first else []
    if answer.status == 404:
        return None, [problem("channels.missing", **facts) if first else note("channels.not-served", **facts)]
    if not 200 <= answer.status < 300:
        return None, [problem("channels.refused", **facts)]
    if answer.error is not None:
        return None, [_unread(path, answer, limit, written)]
    if entry.one and not answer.body.lstrip().startswith(b"["):
        return answer.body, [judge(entry, answer, None)]
    body, findings = _judge(entry, answer)
    if body is None and (other := other_preset.fitting(answer.body, path, preset)) is not None:
        name, title = other
        findings = [problem("channels.other-preset", path=path, preset=preset, other=name, title=title)]
    # Clients list channels by the first; what else names them is an addition.
    return body, findings if first else [_milder(finding) for finding in findings]


async def _asked(path: str, asker: Asker, credentials: Credentials) -> Answer | Finding:
    """The gateway's answer; a finding if none comes in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asker.get(path, credentials.fields)
    except TimeoutError:
        return problem("channels.hangs", path=path, seconds=f"{PATIENCE:.0f}")
    except UpstreamError as error:
        return problem("channels.no-answer", path=path, why=str(error))


def _unread(path: str, answer: Answer, limit: int, written: Written) -> Finding:
    """The finding about a body that is too large, or coded in a way that cannot be decoded."""
    code = "channels.too-large" if answer.error == "too-large" else "channels.coded"
    lines = written.with_keys("limits", corrected=units.format_size(_room(answer, limit)))
    return problem(code, path=path, limit=limit, why=answer.error, lines=lines)


def _room(answer: Answer, limit: int) -> int:
    """A limit in which this answer has room to grow: twice its length where it told that, else four times the limit."""
    length = answer.header(b"content-length") or ""
    return max(2 * int(length), 2 * limit) if length.isdigit() else 4 * limit


def _judge(entry: Channels, answer: Answer) -> tuple[bytes | None, list[Finding]]:
    path, rule = entry.path, entry.rule()
    try:
        document = parse(answer.body)
    except RecursionError:
        return None, [problem("channels.too-deep", path=path)]
    except ValueError:
        kind = (answer.header(b"content-type") or "–").partition(";")[0]
        return None, [problem("channels.not-json", path=path, type=kind)]
    shape = shapes.shape(ChannelList(answer.body, rule))
    if shape.elements is None:
        there = shapes.lists_in(document)
        configured = listed(path or '""' for path in entry.list)
        if there:
            lines = _Change(path, {"list": [there[0].replace('""', "")]})
            return None, [
                problem("channels.list-elsewhere", path=path, configured=configured, found=there[0], lines=lines)
            ]
        return None, [problem("channels.no-list", path=path, configured=configured, members=_members(document))]
    if not shape.elements:
        return None, [note("channels.empty", path=path, where=shape.where)]
    found = list(_misfits(entry, rule, shape))
    if any(finding.code in _UNUSABLE for finding in found):
        return None, found
    fits = ok(
        "channels.fits", path=path, count=len(shape.elements), where=shape.where, took=took(answer.seconds),
        members=listed(shape.members),
    )  # fmt: skip
    slow = [warning("channels.slow", path=path, took=took(answer.seconds))] if answer.seconds > _SLOW else []
    return answer.body, [fits, *slow, *found]


def _milder(finding: Finding) -> Finding:
    return warning(finding.code, **finding.facts) if finding.level is Level.PROBLEM else finding


#: Findings after which nothing more can be said of a list.
_UNUSABLE = frozenset({"channels.no-ids", "channels.no-id-member", "channels.no-status", "channels.no-status-member"})


def _misfits(entry: Channels, rule: ChannelRule, shape: shapes.Shape) -> Iterator[Finding]:
    yield from _without_id(entry, shape)
    yield from _without_status(entry, rule, shape)
    path = entry.path
    strange = [word for word in shape.words if not shapes.knows(rule, word) and word.casefold() != "unknown"]
    if strange and not any(shapes.knows(rule, word) for word in shape.words):
        yield warning("channels.strange-words", path=path, words=listed(strange))


def _without_id(entry: Channels, shape: shapes.Shape) -> Iterator[Finding]:
    elements = shape.elements or ()
    nameless = [element for element, name in zip(elements, shape.ids, strict=True) if name is None]
    if not nameless:
        return
    all_of_them = len(nameless) == len(elements)
    found = shapes.ids_in(nameless)[:1]
    lines = _Change(entry.path, {"id": found if all_of_them else [*entry.id, *found]})
    facts = {"path": entry.path, "members": listed(shapes.members(nameless))}
    if all_of_them and found:
        yield problem("channels.no-ids", **facts, configured=listed(entry.id), lines=lines)
    elif all_of_them:
        yield problem("channels.no-id-member", **facts, configured=listed(entry.id))
    elif found:
        yield warning("channels.some-nameless", **facts, nameless=len(nameless), count=len(elements), lines=lines)
    else:
        yield warning("channels.some-no-id-member", **facts, nameless=len(nameless), count=len(elements))


def _without_status(entry: Channels, rule: ChannelRule, shape: shapes.Shape) -> Iterator[Finding]:
    elements = shape.elements or ()
    bare = [element for element in elements if not shapes.has_status(element, rule)]
    if not bare:
        return
    all_of_them = len(bare) == len(elements)
    found = {name: shapes.disconnected_in(bare, name) for name in shapes.statuses_in(bare, rule)[:1]}
    lines = _Change(entry.path, {"set": found if all_of_them else {**entry.set, **found}})
    facts = {"path": entry.path, "members": listed(shapes.members(bare))}
    if all_of_them and found:
        yield problem("channels.no-status", **facts, configured=listed(entry.set), lines=lines)
    elif all_of_them:
        yield problem("channels.no-status-member", **facts, configured=listed(entry.set))
    elif found:
        yield warning("channels.some-without-status", **facts, bare=len(bare), count=len(elements), lines=lines)
    else:
        yield warning("channels.some-no-status-member", **facts, bare=len(bare), count=len(elements))


def _members(document: object) -> str:
    return (listed(document) if isinstance(document, dict) else "") or "–"


# The gateway's own words


def own_words(path: str, listing: ChannelList, told: Guidance) -> list[Finding]:
    """What a list that was read says, in words that need to be explained; nothing where all speak for themselves."""
    meanings = {fold_word(word): means for word, means in told.states.items()}
    words = shapes.shape(listing).words
    said = {word: meanings.get(fold_word(word), "") for word in words if word not in ("true", "false")}
    if all(means in ("", fold_word(word)) for word, means in said.items()):
        return []
    return [note("channels.words", path=path, words=States(said.items()))]


def transients(sessions: Sequence[Session]) -> list[Finding]:
    """Sessions in a transient state, such as `connecting`, that is not counted yet."""
    waiting = [one for one in sessions if one.transient is not None]
    findings = [
        note("channels.transient", session=one.session, word=one.transient, due=one.transient_due)
        for one in waiting[:_TOLD]
    ]
    if len(waiting) > _TOLD:
        findings.append(note("channels.more-transient", count=len(waiting) - _TOLD))
    return findings


# What would be corrected


def corrections(listing: ChannelList, sessions: Sequence[Session] | None, aliases: Mapping[str, str]) -> list[Finding]:
    """What the corrections in force now change in a list that was read; without any, one channel's loss."""
    lost = [one for one in sessions or () if one.shows == "disconnected"]
    if not lost:
        first = next(iter(listing.ids.exact), None)
        if first is None:
            return []
        change = listed(_changes(listing, {first: None})[first]) or "–"
        if sessions is None:
            return [note("channels.rehearsal-unasked", channel=first, change=change)]
        return [ok("channels.rehearsal", channel=first, change=change)]
    known = Aliases(aliases)
    found = [(one, listing.ids.match(one.session, known).channel) for one in lost]
    standing = [(one, channel) for one, channel in found if channel is not None]  # the others are told among the ids
    changes = _changes(listing, {channel: one.word for one, channel in standing})
    findings = []
    for one, channel in standing[:_TOLD]:
        session = one.session
        change = listed(changes[channel])
        facts = {"session": session, "channel": channel, "change": change, "since": one.since, "why": one.reason}
        if not change:
            findings.append(note("channels.kept", **facts))
        elif one.caught_up in FOR_ALL_ROUTES or listing.rule.source in one.caught_up_on:
            findings.append(note("channels.about-to-end", **facts))
        else:
            findings.append(note("channels.corrected", **facts))
    more = sum(bool(changes[channel]) for _, channel in standing[_TOLD:])
    if more:
        findings.append(note("channels.more-corrected", count=more))
    return findings


def _changes(listing: ChannelList, words: Mapping[str, str | None]) -> dict[str, list[str]]:
    """`status "connected" → "disconnected"`, for each member of these channels that a correction would set.

    `words` has the word by which each is disconnected, `None` if there is no such word.
    """
    changes: dict[str, list[str]] = {channel: [] for channel in words}
    after = ChannelList(rewrite(listing, words)[0], listing.rule)
    after.read()
    for (channel, old), (_, new) in zip(shapes.elements(listing), shapes.elements(after), strict=True):
        if channel in changes:
            for name in listing.rule.set:
                was, reads = lookup(old, parse_path(name)), lookup(new, parse_path(name))
                if was != reads:
                    changes[channel].append(f"{name} {_json(was)} → {_json(reads)}")
    return changes


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# Which events are about which channel


def event_ids(
    sessions: Sequence[Session],
    channels: ChannelIds,
    aliases: Mapping[str, str],
    written: Written = Written(),  # noqa: B008 - a value that no one changes
) -> list[Finding]:
    """Whether the sessions that events name are channels of the list, and which channel an unknown one may be."""
    heard = [one for one in sessions if one.last_event_at and one.released != "deleted"]
    known: set[str] = set()
    unknown = []
    ambiguous: dict[str, list[str]] = {}
    by_alias = Aliases(aliases)
    for one in heard:
        session = one.session
        match = channels.match(session, by_alias)
        if match.ambiguous and match.channel is None:  # an alias settles it
            alike = sorted(channel for channel in channels.exact if fold_id(channel) == fold_id(session))
            ambiguous[session] = alike
        elif match.channel is None:
            unknown.append(one)
        else:
            known.add(match.channel)
    unheard = [channel for channel in channels.exact if channel not in known]
    meant = _meant(unknown, unheard)
    settled = {session: alike[0] for session, alike in ambiguous.items()}
    lines = written.with_keys("sessions", aliases={**aliases, **settled, **meant})  # one block for all findings
    findings = [
        warning("channels.ambiguous", session=session, channels=listed(map(delimited, alike)), lines=lines)
        for session, alike in ambiguous.items()
    ]
    findings += _unknown(unknown, meant, lines)
    if heard and not unknown:
        findings.append(ok("channels.ids-match", count=len(heard)))
    if heard and unheard:
        findings.append(note("channels.unheard", channels=listed(map(delimited, unheard))))
    return findings


def _meant(sessions: Sequence[Session], unheard: Sequence[str]) -> dict[str, str]:
    """The channels without events so far that sessions which are no channels may be meant for."""
    meant: dict[str, str] = {}
    for one in sessions[:_COMPARED]:
        near = nearest(one.session, unheard) if len(meant) < _TOLD else None
        if near is not None:
            meant[one.session] = near
    return meant


def _unknown(sessions: Sequence[Session], meant: Mapping[str, str], lines: Lines) -> list[Finding]:
    """Sessions that are not channels: those that may be one, and the others.

    One line each, however many there are. Where a correction cannot reach the channel it is meant for, that is a
    problem; a session without a channel like it is mostly one that was deleted.
    """
    others = [one.session for one in sessions if one.session not in meant]
    findings = []
    if meant:
        lost = any(one.shows == "disconnected" for one in sessions if one.session in meant)
        tell = problem if lost else warning
        pairs = listed(f"{delimited(session)} ({delimited(channel)}?)" for session, channel in meant.items())
        findings.append(tell("channels.id-alias", sessions=pairs, lines=lines))
    if others:
        facts = {"count": len(others), "sessions": Ids(others), "first": Ids(others[:1])}
        findings.append(warning("channels.id-unknown", **facts))
    return findings


def nearest(session: str, channels: Iterable[str]) -> str | None:
    """The one channel that a session's id is most likely meant for; None if no channel is near."""
    plain = {channel: _plain(channel) for channel in channels}
    wanted = _plain(session)
    same = [channel for channel, text in plain.items() if text == wanted and text]
    if len(same) == 1:
        return same[0]
    close = difflib.get_close_matches(wanted[:100], plain.values(), n=2, cutoff=0.72)
    if not close:
        return None
    fitting = [channel for channel, text in plain.items() if text == close[0]]
    return fitting[0] if len(fitting) == 1 else None


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
