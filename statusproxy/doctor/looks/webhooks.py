"""The webhooks: whether they pass the proxy, who sends them, whether they are trusted; if not, how to fix it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from statusproxy.admin.messages import SelfReport, Sessions
from statusproxy.config.addresses import mask_url, parse_gateway, parse_target
from statusproxy.config.every_gateway import every_gateway
from statusproxy.config.guidance import Guidance, reached_at
from statusproxy.config.paths import fold_path
from statusproxy.config.schema import PRIVATE_NETWORKS
from statusproxy.config.settings import Settings, Webhook
from statusproxy.config.spot import MASK
from statusproxy.config.templates import SESSION
from statusproxy.doctor.findings import Finding, Lines, ago, listed, note, ok, problem, warning
from statusproxy.doctor.paste import Written
from statusproxy.doctor.subject import Subject
from statusproxy.observe.absences import CLIENT
from statusproxy.observe.silence import KNOWN_AFTER, patience
from statusproxy.observe.webhook_stats import EventReport, PathReport, SenderReport, WebhooksReport
from statusproxy.proxy.client_address import parse_address, within
from statusproxy.status.model import APPLIED, DUPLICATE, LATE
from statusproxy.status.signals import Verdict

#: Seconds after a start within which it is too early to call silence a problem: a site with a few dozen contacts
#: makes some presence events a minute.
_EARLY = 600.0

#: Seconds after a start within which silence says nothing yet.
_TOO_EARLY = 180.0

#: Seconds by which the quickest of the last events may lag behind, or run ahead of, the clock.
_LAG, _AHEAD = 60.0, 5.0

#: What a read webhook comes to when it says something about a connection (`Outcome`'s verdicts).
_SAYS = frozenset({APPLIED, LATE, DUPLICATE})


async def look(subject: Subject) -> list[Finding]:
    """Look at the webhooks that the running proxy counted."""
    found = await webhooks(
        subject.settings, subject.report, subject.written, _heard_before(subject.sessions), subject.guidance
    )
    if not subject.serves_unasked:
        return found
    unknown = ("webhooks.not-known", "webhooks.not-known-yet")
    return [note("webhooks.not-asked") if finding.code in unknown else finding for finding in found]


def _heard_before(sessions: Sessions | None) -> float | None:
    """When the last event of any session came. The running proxy remembers that over restarts."""
    moments = [one.last_event_at for one in (sessions.sessions if sessions else ()) if one.last_event_at]
    return max((datetime.fromisoformat(each).timestamp() for each in moments), default=None)


async def webhooks(
    settings: Settings,
    report: SelfReport | None,
    written: Written = Written(),  # noqa: B008 - a value that no one changes
    heard_before: float | None = None,
    told: Guidance = Guidance(),  # noqa: B008 - a frozen value
) -> list[Finding]:
    """Look at what the running proxy counted since its start.

    `report` is None if the proxy could not be asked; `written` is what the file says; `heard_before` is when the last
    event of any session came, before the start or after it (epoch seconds); `told` is what the preset says of the
    gateway.
    """
    if not settings.webhooks:
        return []
    ways = _ways(settings, written, told)
    if report is None:
        return [
            note("webhooks.not-known-yet", **_at_gateway(told)) if told.set_url else note("webhooks.not-known", **ways)
        ]
    return [
        *_arrivals(settings, report, ways, written, heard_before, told),
        *_clock(report),
        *_strangers(settings, report, written),
    ]


def _arrivals(
    settings: Settings,
    report: SelfReport,
    ways: Mapping[str, Any],
    written: Written,
    heard_before: float | None,
    told: Guidance,
) -> Iterator[Finding]:
    seen, now = report.webhooks, report.now
    up = now - report.started
    trusted = {one.address: one for one in seen.senders if one.trusted}
    untrusted = [one for one in seen.senders if one.untrusted]
    count = sum(one.trusted for one in trusted.values())
    passed = sum(one.count for one in seen.paths)
    if not trusted and not untrusted and passed:
        yield note("webhooks.none-since-reload", count=passed)
        return
    if not trusted and not untrusted:
        tell = problem if up >= _EARLY else warning
        if up < _TOO_EARLY:
            yield note("webhooks.none-yet", up=ago(up))
        elif heard_before is None and told.set_url:
            yield tell("webhooks.none-posted", up=ago(up), **_at_gateway(told))
        elif heard_before is None:
            yield tell("webhooks.none", up=ago(up), **ways)
        else:
            yield tell("webhooks.none-any-more", up=ago(up), last=ago(now - heard_before), **ways)
        return
    yield from _untrusted(settings, seen, untrusted, written, alone=not trusted)
    yield from _failing(seen.paths)
    if not trusted:
        return
    silent = now - (seen.last_heard or now)
    stopped = silent > patience(seen.heard, seen.gap)
    tell_seen = warning if stopped else ok
    yield tell_seen(
        "webhooks.silent" if stopped else "webhooks.seen",
        count=count, up=ago(up), senders=listed(trusted), last=ago(silent),
        paths=listed(f"{one.path} ({one.count})" for one in seen.paths),
    )  # fmt: skip
    yield from _by_address(settings, report)
    for one in [] if stopped else seen.paths:
        quiet = now - one.last
        if one.count >= KNOWN_AFTER and quiet > patience(one.count, one.gap):
            yield warning("webhooks.path-silent", path=one.path, count=one.count, last=ago(quiet))
    yield from _meanings(seen.events, ways)
    used = {one.path for one in seen.paths}
    outbound = {fold_path(webhook.path) for webhook in settings.webhooks if _to_hub(webhook, settings)}
    if used and used <= outbound and not told.set_url:
        # The gateway passes presence and messages on to the hub, but not the engine's word on the session itself.
        yield warning("webhooks.outbound-only", **ways)
    idle = [webhook.path for webhook in settings.webhooks if fold_path(webhook.path) not in used]
    if idle:
        yield note("webhooks.idle-paths", paths=listed(idle))


def _untrusted(
    settings: Settings,
    seen: WebhooksReport,
    untrusted: Sequence[SenderReport],
    written: Written,
    *,
    alone: bool,
) -> Iterator[Finding]:
    reasons: dict[str, Counter[str]] = {}
    for one in untrusted:
        for why, count in one.untrusted.items():
            reasons.setdefault(why, Counter())[one.address] += count
    for why, senders in reasons.items():
        inside = [address for address in senders if _is_private(address)]
        facts: dict[str, Any] = {
            "count": senders.total(),
            "senders": listed(f"{sender} ({count})" for sender, count in senders.most_common()),
        }
        if why == "network":
            facts["lines"] = _admitting(settings, seen, inside, written)
        if alone:
            yield problem(f"webhooks.only-doubted-{why}", **facts)
        elif inside or why != "network":
            yield warning(f"webhooks.doubted-{why}", **facts)
        else:
            yield note("webhooks.forged", **facts)


def _admitting(settings: Settings, seen: WebhooksReport, senders: Sequence[str], written: Written) -> Lines:
    """The block `webhooks` in which senders of this site are trusted, on the paths that anything was posted to."""
    used = {one.path for one in seen.paths}
    changes = {
        webhook.path: {"from": [*map(str, webhook.from_), *senders]}
        for webhook in settings.webhooks
        if fold_path(webhook.path) in used
    }
    return written.with_entries("webhooks", changes) if senders and changes else Lines()


def _failing(paths: Sequence[PathReport]) -> Iterator[Finding]:
    for one in paths:
        failed = {int(status): count for status, count in one.statuses.items() if int(status) >= 400}
        count = sum(failed.values())
        if count and count * 10 >= one.count:  # a few are what a restart of the gateway leaves
            statuses = listed(f"{status} ({times})" for status, times in sorted(failed.items()))
            code = "webhooks.path-unknown" if set(failed) <= {404, 405} else "webhooks.path-failing"
            yield warning(code, path=one.path, count=count, all=one.count, statuses=statuses)


def _meanings(events: Sequence[EventReport], ways: Mapping[str, Any]) -> Iterator[Finding]:
    verdicts: Counter[str] = Counter()
    unmatched: Counter[str] = Counter()
    neutral = every_gateway().neutral
    for one in events:
        verdicts[one.verdict] += one.count
        if one.verdict == Verdict.UNMATCHED and one.event and one.event.casefold() not in neutral:
            unmatched[one.event] += one.count
    says = sum(count for verdict, count in verdicts.items() if verdict in _SAYS)
    quiet = verdicts[Verdict.PRESENCE] + verdicts[Verdict.OWN_MESSAGE] + verdicts[Verdict.UNMATCHED]
    if not says and verdicts[Verdict.PRESENCE] and quiet == verdicts.total():
        yield warning("webhooks.presence-only", count=verdicts[Verdict.PRESENCE], **ways)
    elif not says:
        yield warning("webhooks.nothing-said", count=verdicts.total(), events=listed(unmatched) or "–")
    if unmatched:
        yield note("webhooks.unmatched", events=listed(f"{name} ({n})" for name, n in unmatched.most_common()))
    nameless = Counter({one.event: one.count for one in events if one.verdict == Verdict.NAMELESS})
    if nameless:
        watched = SESSION in ways["session_path"]
        yield warning(
            "webhooks.nameless-elsewhere" if watched else "webhooks.nameless",
            count=nameless.total(),
            events=listed(f"{name} ({count})" for name, count in nameless.most_common()),
            **_with_session(ways),
        )
    if verdicts[Verdict.NO_SESSION]:
        yield note("webhooks.no-session", count=verdicts[Verdict.NO_SESSION])
    if verdicts[Verdict.NOT_JSON]:
        yield warning("webhooks.not-json", count=verdicts[Verdict.NOT_JSON])
    if verdicts[Verdict.TOO_DEEP]:
        yield warning("webhooks.too-deep", count=verdicts[Verdict.TOO_DEEP])


def _clock(report: SelfReport) -> Iterator[Finding]:
    clock = report.webhooks.clock
    lag = clock.lag
    if clock.ahead:
        yield problem("clock.events-ahead", count=clock.ahead)
    elif lag is not None and clock.timed >= 3 and (lag > _LAG or lag < -_AHEAD):
        yield warning("clock.events-off", seconds=f"{-lag:+.0f}", count=clock.timed)
    elif lag is not None:
        yield ok("clock.events", count=clock.timed)


def _strangers(settings: Settings, report: SelfReport, written: Written) -> Iterator[Finding]:
    strangers = report.forwarding_strangers
    inside = [one for one in strangers if _is_private(one)]
    if inside:
        networks = [*map(str, settings.trusted_proxies), *inside]
        lines = written.with_value("trusted_proxies", networks)
        yield warning("webhooks.untrusted-proxy", peers=listed(inside), lines=lines)
    outside = [one for one in strangers if one not in inside]
    if outside:
        yield note("webhooks.claims-from-outside", peers=listed(outside))


def _by_address(settings: Settings, report: SelfReport) -> Iterator[Finding]:
    """Senders at this machine's own address whose events are trusted for that address alone.

    A proxy in front, or Docker where it publishes a port, asks from the same address. Nothing tells one that names no
    client from the engine, unless it gives itself away (`proxy.front_proxy`). What other requests of that address
    carried says nothing of these events: any program writes X-Forwarded-For.
    """
    used = {one.path for one in report.webhooks.paths}
    proved = all(webhook.secrets for webhook in settings.webhooks if fold_path(webhook.path) in used)
    told = {one.peer for one in report.absences if one.missing == CLIENT}
    peers = [
        one.address
        for one in report.webhooks.senders
        if one.by_address
        and one.address not in told
        and _stands_for_others(one.address)
        and within(parse_address(one.address), settings.trusted_proxies)
    ]
    if peers and not proved:
        yield note("webhooks.by-address", peers=listed(peers))


def _stands_for_others(text: str) -> bool:
    """Whether programs on other machines may show at this address: loopback, or Docker's side of a bridge."""
    address = parse_address(text)
    return address is not None and (
        address.is_loopback or (_is_private(text) and address.version == 4 and address.packed[-1] == 1)
    )


def _is_private(text: str) -> bool:
    return within(parse_address(text), PRIVATE_NETWORKS)


# Where the URL is set


def _at_gateway(told: Guidance) -> dict[str, Any]:
    """What the fixes say of a gateway that posts its events itself: the URL, and where in it that is set."""
    return {"title": told.title, "url": told.url, "set_url": Lines(told.set_url)}


def _ways(settings: Settings, written: Written, told: Guidance) -> dict[str, str | Lines]:
    """What the fixes say of this site: addresses and lines that fit its configuration."""
    to_gateway = (one.path for one in settings.webhooks if one.forward and not _to_hub(one, settings))
    inbound = min(to_gateway, key=lambda path: SESSION in path, default=None)
    base = reached_at(settings)
    inbound = inbound or told.url.removeprefix(base) or None
    outbound = next((one for one in settings.webhooks if _to_hub(one, settings)), None)
    tap = next((one.path for one in settings.webhooks if not one.forward), None)
    inbound_path = inbound or "/v1/webhooks/receive"
    hub = str(outbound.forward_to) if outbound else "https://hub.example/api/whatsapp/webhook"
    outbound_path = outbound.path if outbound else "/hub/webhook"

    def lines(path: str, **values: Any) -> Lines:
        return written.with_entry("webhooks", path, **values)

    return {
        "base": base,
        "gateway": settings.gateway_shown,
        "inbound_path": inbound_path,
        "inbound_lines": Lines() if inbound else lines(inbound_path),
        "outbound_path": outbound_path,
        "outbound_to": mask_url(hub, MASK),
        "outbound_lines": Lines() if outbound else lines(outbound_path, forward_to=hub),
        "session_path": next((one.path for one in settings.webhooks if SESSION in one.path), ""),
        "session_lines": _session_lines(settings, written, inbound_path),
        "tap_path": tap or "/tap",
        "tap_lines": Lines() if tap else lines("/tap", forward=False),
    }


def _session_lines(settings: Settings, written: Written, inbound_path: str) -> Lines:
    """The block `webhooks` with an entry that has the session in its path; none where one has."""
    if any(SESSION in webhook.path for webhook in settings.webhooks):
        return Lines()
    gateway = settings.gateway.rstrip("/")
    receiver = {} if gateway.startswith("unix:") else {"forward_to": f"{gateway}{inbound_path}"}
    return written.with_entry("webhooks", f"{inbound_path.rstrip('/')}/{SESSION}", **receiver)


def _with_session(ways: Mapping[str, Any]) -> dict[str, Any]:
    """How a session's id comes to stand in the path, in the words of this site."""
    return {
        "base": ways["base"],
        "session_path": ways["session_path"] or f"{ways['inbound_path'].rstrip('/')}/{SESSION}",
        "placeholder": SESSION,
        "session_lines": ways["session_lines"],
    }


def _to_hub(webhook: Webhook, settings: Settings) -> bool:
    """Whether events are forwarded to another receiver than the gateway.

    The gateway is named in `forward_to` where the session in the path must not reach it.
    """
    if webhook.forward_to is None:
        return False
    if SESSION not in webhook.path:
        return True
    gateway, target = parse_gateway(settings.gateway), parse_target(webhook.forward_to)
    return (gateway.scheme, gateway.authority) != (target.scheme, target.authority)
