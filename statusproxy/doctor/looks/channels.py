"""The channel list as the gateway really gives it: readable, of the shape configured, and what would be corrected."""

import asyncio
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from statusproxy.admin.messages import Session
from statusproxy.config import units
from statusproxy.config.paths import SESSION
from statusproxy.config.settings import Channels, Settings
from statusproxy.doctor.asking import Answer, Asker
from statusproxy.doctor.findings import Finding, Level, listed, note, ok, problem, took, warning
from statusproxy.doctor.looks import shapes
from statusproxy.doctor.paste import Written
from statusproxy.proxy.upstream.connection import UpstreamError
from statusproxy.status.channels import ChannelRule, correct
from statusproxy.status.fields import fold_id, lookup, parse
from statusproxy.status.sessions import Override, Record, SessionMap, SessionRules

#: Sessions told of one by one; beyond, a number.
_TOLD = 20

#: Sessions that are no channels for which a channel like them is looked for; each is compared with every channel.
_COMPARED = 100

#: Seconds beyond which a list is slow: the hub's health check gives up after 15, its default is 30.
_SLOW = 10.0


class Credentials(msgspec.Struct, frozen=True):
    """The header that the gateway wants, and its value; it is sent to the gateway and nowhere else."""

    header: str = "X-Gateway-Secret"
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.header!r}, {'***' if self.secret else None})"


async def lists(
    settings: Settings,
    asker: Asker,
    credentials: Credentials,
    sessions: Sequence[Session] | None,
    written: Written = Written(),  # noqa: B008 - a value that nobody changes
) -> list[Finding]:
    """Ask for every list; look through the first one's ids and corrections as well.

    `sessions` is what the running proxy knows, None where it could not be asked; `written` is what the file says.
    """
    findings: list[Finding] = []
    entries = [entry for entry in settings.channels if SESSION not in entry.path]
    asked = [
        _list(entry, asker, credentials, settings.limits.corrected, number == 0, written)
        for number, entry in enumerate(entries)
    ]
    # All at once: each may take as long as the gateway is given for a list.
    for number, (entry, (body, said)) in enumerate(zip(entries, await asyncio.gather(*asked), strict=True)):
        first = number == 0
        findings += said
        if body is not None and first:
            rule = entry.rule()
            channels = [one for one in shapes.shape(parse(body), rule).ids if one is not None]
            aliases = settings.sessions.aliases
            findings += corrections(body, rule, sessions or (), aliases, channels)
            findings += event_ids(sessions or (), channels, aliases, written)
    return findings


async def _list(
    entry: Channels, asker: Asker, credentials: Credentials, limit: int, first: bool, written: Written
) -> tuple[bytes | None, list[Finding]]:
    """One list: its body where it fits, and what is to be said of it. One that is not the `first` may be missing."""
    header, path = credentials.header, entry.path
    fields = [] if credentials.secret is None else [(header.encode(), credentials.secret.encode())]
    try:
        answer = await asker.get(path, fields)
    except UpstreamError as error:
        return None, [problem("channels.no-answer", path=path, why=str(error))]
    facts = {"path": path, "status": answer.status, "header": header}
    if answer.status in (401, 403):
        if credentials.secret is None:
            return None, [warning("channels.secret-wanted", **facts)] if first else []
        return None, [problem("channels.secret-wrong", **facts)] if first else []
    if answer.status == 404:
        return None, [problem("channels.missing", **facts) if first else note("channels.not-served", **facts)]
    if not 200 <= answer.status < 300:
        return None, [problem("channels.refused", **facts)]
    if answer.trouble is not None:
        code = "channels.too-large" if answer.trouble == "too-large" else "channels.coded"
        lines = written.with_keys("limits", corrected=units.format_size(_room(answer, limit)))
        return None, [problem(code, path=path, limit=limit, why=answer.trouble, lines=lines)]
    body, findings = _judge(entry, answer, written)
    # Clients list channels by the first; what else names them is an addition.
    return body, findings if first else [_milder(finding) for finding in findings]


def _room(answer: Answer, limit: int) -> int:
    """A limit in which this answer has room to grow: twice its length where it told that, else four times the limit."""
    length = answer.header(b"content-length") or ""
    return max(2 * int(length), 2 * limit) if length.isdigit() else 4 * limit


def _judge(entry: Channels, answer: Answer, written: Written) -> tuple[bytes | None, list[Finding]]:
    path, rule = entry.path, entry.rule()
    try:
        document = parse(answer.body)
    except (ValueError, RecursionError):
        kind = (answer.header(b"content-type") or "–").partition(";")[0]
        return None, [problem("channels.not-json", path=path, type=kind)]
    shape = shapes.shape(document, rule)
    if shape.elements is None:
        there = shapes.lists_in(document)
        configured = listed(path or '""' for path in entry.list)
        if there:
            lines = written.with_entry("channels", path, list=[there[0].replace('""', "")])
            return None, [
                problem("channels.list-elsewhere", path=path, configured=configured, found=there[0], lines=lines)
            ]
        return None, [problem("channels.no-list", path=path, configured=configured, members=_members(document))]
    if not shape.elements:
        return None, [note("channels.empty", path=path, where=shape.where)]
    found = list(_misfits(entry, rule, shape, written))
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


def _misfits(entry: Channels, rule: ChannelRule, shape: shapes.Shape, written: Written) -> Iterator[Finding]:
    yield from _without_id(entry, shape, written)
    yield from _without_status(entry, rule, shape, written)
    path = entry.path
    strange = [word for word in shape.words if not shapes.knows(rule, word) and word.casefold() != "unknown"]
    if strange and not any(shapes.knows(rule, word) for word in shape.words):
        yield warning("channels.strange-words", path=path, words=listed(strange))


def _without_id(entry: Channels, shape: shapes.Shape, written: Written) -> Iterator[Finding]:
    elements = shape.elements or ()
    nameless = [element for element, name in zip(elements, shape.ids, strict=True) if name is None]
    if not nameless:
        return
    all_of_them = len(nameless) == len(elements)
    found = shapes.ids_in(nameless)[:1]
    lines = written.with_entry("channels", entry.path, id=found if all_of_them else [*entry.id, *found])
    facts = {"path": entry.path, "members": listed(shapes.members(nameless))}
    if all_of_them and found:
        yield problem("channels.no-ids", **facts, configured=listed(entry.id), lines=lines)
    elif all_of_them:
        yield problem("channels.no-id-member", **facts, configured=listed(entry.id))
    elif found:
        yield warning("channels.some-nameless", **facts, nameless=len(nameless), count=len(elements), lines=lines)
    else:
        yield warning("channels.some-no-id-member", **facts, nameless=len(nameless), count=len(elements))


def _without_status(entry: Channels, rule: ChannelRule, shape: shapes.Shape, written: Written) -> Iterator[Finding]:
    elements = shape.elements or ()
    bare = [element for element in elements if not shapes.has_status(element, rule)]
    if not bare:
        return
    all_of_them = len(bare) == len(elements)
    found = {name: shapes.disconnected_in(bare, name) for name in shapes.statuses_in(bare, rule)[:1]}
    lines = written.with_entry("channels", entry.path, set=found if all_of_them else {**entry.set, **found})
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
    return listed(document) if isinstance(document, dict) else "–"


# What would be corrected


def corrections(
    body: bytes, rule: ChannelRule, sessions: Sequence[Session], aliases: Mapping[str, str], channels: Sequence[str]
) -> list[Finding]:
    """A dry run of the corrections in force now; where there are none, of one channel's loss."""
    standing = [one for one in sessions if one.shows == "disconnected"]
    if not standing:
        if not channels:
            return []
        changed = _dry_run(body, rule, {channels[0]: channels[0]}, {})
        said = listed(_difference(channels[0], changed, body, rule)) or "–"
        return [ok("channels.rehearsal", channel=channels[0], change=said)]
    named = {one.session: one.channel or one.session for one in standing}
    changed = _dry_run(body, rule, named, aliases)
    findings = []
    for one in standing[:_TOLD]:
        session = one.session
        channel = _channel_of(session, channels, aliases)
        if channel is None:
            continue  # told among the ids
        change = listed(_difference(channel, changed, body, rule))
        facts = {"session": session, "channel": channel, "change": change, "since": one.since, "why": one.reason}
        if not change:
            findings.append(note("channels.kept", **facts))
        elif one.caught_up in ("qr", "created") or rule.source in one.caught_up_on:
            findings.append(note("channels.about-to-end", **facts))
        else:
            findings.append(note("channels.corrected", **facts))
    if len(standing) > _TOLD:
        findings.append(note("channels.more-corrected", count=len(standing) - _TOLD))
    return findings


def _dry_run(body: bytes, rule: ChannelRule, sessions: Mapping[str, str], aliases: Mapping[str, str]) -> bytes:
    """The answer as it would read, by the code that corrects it; with a map of its own, whose overrides do not end."""
    override = Override(since=1.0, at=1.0, began=1.0, event="")
    held = SessionMap(SessionRules(aliases=aliases, releases=frozenset()))
    held.load([Record(session, override=override, channel=channel) for session, channel in sessions.items()])
    return correct(body, rule, held, 0.0, 0.0).body


def _difference(channel: str, changed: bytes, body: bytes, rule: ChannelRule) -> Iterator[str]:
    """`status "connected" → "disconnected"`, for each member of the channel that differs."""
    before, after = shapes.shape(parse(body), rule), shapes.shape(parse(changed), rule)
    for one, old, new in zip(before.ids, before.elements or (), after.elements or (), strict=True):
        if one != channel:
            continue
        for name in rule.set:
            was, reads = lookup(old, (name,)), lookup(new, (name,))
            if was != reads:
                yield f"{name} {_json(was)} → {_json(reads)}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# Which events are about which channel


def event_ids(
    sessions: Sequence[Session],
    channels: Sequence[str],
    aliases: Mapping[str, str],
    written: Written = Written(),  # noqa: B008 - a value that nobody changes
) -> list[Finding]:
    """Whether the sessions that events name are channels of the list, and which channel an unknown one may be."""
    heard = [one for one in sessions if one.last_event_at and one.released != "deleted"]
    findings: list[Finding] = []
    known: set[str] = set()
    unknown = []
    for one in heard:
        session = one.session
        alike = {channel for channel in channels if fold_id(channel) == fold_id(session)}
        if session not in channels and len(alike) > 1:
            findings.append(warning("channels.ambiguous", session=session, channels=listed(sorted(alike))))
            continue
        channel = _channel_of(session, channels, aliases)
        if channel is None:
            unknown.append(one)
        else:
            known.add(channel)
    findings += _unknown(unknown, [channel for channel in channels if channel not in known], aliases, written)
    if heard and not unknown:
        findings.append(ok("channels.ids-match", count=len(heard)))
    unheard = [channel for channel in channels if channel not in known]
    if heard and unheard:
        findings.append(note("channels.unheard", channels=listed(unheard)))
    return findings


def _unknown(
    sessions: Sequence[Session], unheard: Sequence[str], aliases: Mapping[str, str], written: Written
) -> list[Finding]:
    """Sessions that are no channels: those that may be a channel nobody was heard of yet, and the others.

    One line each, however many there are. Where a correction cannot reach the channel it is meant for, that is a
    problem; a session without a channel like it is mostly one that was deleted.
    """
    meant: dict[str, str] = {}
    others: list[str] = []
    lost = False
    for number, one in enumerate(sessions):
        session = one.session
        near = nearest(session, unheard) if number < _COMPARED and len(meant) < _TOLD else None
        if near is None:
            others.append(session)
        else:
            meant[session] = near
            lost = lost or one.shows == "disconnected"
    findings = []
    if meant:
        tell = problem if lost else warning
        pairs = listed(f"{session} ({channel}?)" for session, channel in meant.items())
        lines = written.with_keys("sessions", aliases={**aliases, **meant})
        findings.append(tell("channels.id-alias", sessions=pairs, lines=lines))
    if others:
        findings.append(warning("channels.id-unknown", count=len(others), sessions=listed(others), first=others[0]))
    return findings


def _channel_of(session: str, channels: Sequence[str], aliases: Mapping[str, str]) -> str | None:
    """The channel that a session is, by the map's own rules: exact, folded, by alias."""
    if session in channels:
        return session
    folded: dict[str, list[str]] = {}
    for channel in channels:
        folded.setdefault(fold_id(channel), []).append(channel)

    def by_fold(name: str) -> str | None:
        alike = folded.get(fold_id(name), ())
        return alike[0] if len(alike) == 1 else None

    alias = aliases.get(session) or {fold_id(event): channel for event, channel in aliases.items()}.get(
        fold_id(session)
    )
    return by_fold(session) or (None if alias is None else alias if alias in channels else by_fold(alias))


def nearest(session: str, channels: Iterable[str]) -> str | None:
    """The one channel that a session's id is most likely meant for; None where none is near."""
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
