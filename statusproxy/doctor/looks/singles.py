"""Answers about one session: whether they have the shape that the settings say, and which member is missing."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from statusproxy.config.settings import Channels
from statusproxy.config.templates import SECRET, SESSION, source_of
from statusproxy.doctor.asking import Answer
from statusproxy.doctor.findings import Finding, Level, listed, note, ok, warning
from statusproxy.doctor.looks import shapes
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.fields import parse

Ask = Callable[[str], Awaitable[Answer | Finding]]
"""Asks the gateway for a path; a finding where there is no answer that can be read."""


async def singles(entries: Sequence[Channels], ask: Ask, ids: Sequence[str]) -> list[Finding]:
    """Ask on each route whose path names a session, for the first of these that a path can hold."""
    session = next((one for one in ids if one.strip(".")), None)
    plain = {entry.path for entry in entries}
    findings = []
    for entry in entries:
        path = entry.path
        if SESSION not in path:
            continue
        if SECRET in path:
            if source_of(path) not in plain:  # else the same route is asked without the secret
                findings.append(note("channels.single-with-secret", path=path))
        elif session is None:
            findings.append(note("channels.single-no-session", path=path))
        else:
            answer = await ask(path.replace(SESSION, quote(session, safe="")))
            findings.append(_told(entry, answer, session) if isinstance(answer, Answer) else _milder(answer, path))
    return findings


def _told(entry: Channels, answer: Answer, session: str) -> Finding:
    if answer.status == 404:
        return note("channels.not-served", path=entry.path, status=answer.status)
    if not 200 <= answer.status < 300:
        return note("channels.single-refused", path=entry.path, status=answer.status)
    return judge(entry, answer, session)


def _milder(finding: Finding, path: str) -> Finding:
    """The finding about a route that is not a list, by the route's own path: a session's id is not part of it."""
    facts = {**finding.facts, "path": path}
    return Finding(Level.WARNING if finding.level is Level.PROBLEM else finding.level, finding.code, facts)


def judge(entry: Channels, answer: Answer, session: str | None) -> Finding:
    """Whether the answer about one session fits; `session` is None where the path names none (`one`)."""
    path, rule = entry.path, entry.rule()
    try:
        document = parse(answer.body)
    except RecursionError:
        return warning("channels.too-deep", path=path)
    except ValueError:
        kind = (answer.header(b"content-type") or "–").partition(";")[0]
        return warning("channels.not-json", path=path, type=kind)
    shape = shapes.shape(ChannelList(answer.body, rule, session))
    if not shape.elements:
        members = listed(document) if isinstance(document, dict) else ""
        configured = listed(each or '""' for each in entry.list)
        return warning("channels.single-no-object", path=path, configured=configured, members=members or "–")
    facts = {"path": path, "members": listed(shapes.members(shape.elements)) or "–"}
    if shape.ids[0] is None:
        return warning("channels.single-no-id", **facts, configured=listed(entry.id))
    if not shape.members:
        return warning("channels.single-no-status", **facts, configured=listed(entry.set))
    missing = [name for name in entry.set if name not in shape.members]
    said = {"path": path, "session": shape.ids[0], "members": listed(shape.members)}
    if missing:
        return ok("channels.single-fits-in-part", **said, missing=listed(missing))
    return ok("channels.single-fits", **said)
