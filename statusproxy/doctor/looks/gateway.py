"""The gateway: reachable, how fast, a different program, its clock; and the hub that webhooks are forwarded to."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime

from statusproxy.doctor.asking import Answer, Asker, Askers
from statusproxy.doctor.findings import Finding, note, ok, problem, took, warning
from statusproxy.doctor.subject import Subject
from statusproxy.observe.network_errors import NO_TLS
from statusproxy.proxy.upstream.errors import UpstreamError

#: The routes by which gateways tell that they are well; the first that is there serves.
_HEALTH = ("/health", "/api/health")

#: Seconds beyond which a connection, or a health answer, is slow for one on the same host.
_SLOW_CONNECT, _SLOW_HEALTH = 0.5, 3.0

#: Seconds that a connection and an answer may take. A gateway that needs longer for its health check hangs,
#: also where `timeouts` allow more: a person waits for the report.
CONNECT_PATIENCE, HEALTH_PATIENCE = 5.0, 8.0

#: Seconds by which clocks may differ: a Date is cut to the second, and travels.
_CLOCK_WELL, _CLOCK_ILL = 5.0, 60.0


async def look(subject: Subject) -> list[Finding]:
    """Ask the gateway, and the other receivers of webhooks for a connection."""
    settings = subject.settings
    try:
        askers = Askers(settings)
    except (OSError, ValueError) as error:  # of a certificate file
        return [problem("gateway.tls-failed", url=settings.gateway_shown, why=str(error))]
    with closing(askers):
        (subject.gateway_answers, findings), more = await asyncio.gather(
            gateway(askers.gateway, settings.gateway_shown), hubs(askers.others)
        )
    return [*findings, *more]


async def gateway(asker: Asker, url: str) -> tuple[bool, list[Finding]]:
    """Whether the gateway answers, and the findings about it."""
    try:
        async with asyncio.timeout(CONNECT_PATIENCE):
            connected = await asker.connect()
    except TimeoutError:
        return False, [_no_connection(asker, url, f"{CONNECT_PATIENCE:.0f} s")]
    except UpstreamError as error:
        if _CAUSES.get(error.code) == "connect-slow":
            return False, [_no_connection(asker, url, str(error))]
        if NO_TLS in str(error):
            return False, [problem("gateway.no-tls", url=url, plain=url.replace("https://", "http://", 1))]
        return False, [problem(f"gateway.{_CAUSES.get(error.code, 'unreachable')}", url=url, why=str(error))]
    answer: Answer | None = None
    path = _HEALTH[0]
    try:
        async with asyncio.timeout(HEALTH_PATIENCE):
            for path in _HEALTH:
                answer = await asker.get(path)
                if answer.status != 404:
                    break
    except TimeoutError:
        return False, [problem("gateway.hangs", url=url, path=path, seconds=f"{HEALTH_PATIENCE:.0f}")]
    except UpstreamError as error:
        if error.code == "gateway_timeout":
            return False, [problem("gateway.hangs", url=url, path=path, seconds=f"{HEALTH_PATIENCE:.0f}")]
        return False, [problem("gateway.no-http", url=url, path=path, why=str(error))]
    assert answer is not None
    return True, [*_judge(answer, url, path, connected), *_clock(answer)]


def _no_connection(asker: Asker, url: str, why: str) -> Finding:
    """A connection that is neither taken nor refused. On this host only a full queue does that, not a firewall."""
    return problem("gateway.queue-full" if asker.is_local else "gateway.connect-slow", url=url, why=why)


#: The pool's error codes that call for a fix of their own.
_CAUSES: Mapping[str, str] = {
    "gateway_name_unknown": "name-unknown",
    "gateway_tls_failed": "tls-failed",
    "gateway_connect_slow": "connect-slow",
}


def _judge(answer: Answer, url: str, path: str, connected: float) -> Iterator[Finding]:
    if answer.came_through_us:
        yield problem("gateway.is-us", url=url)
        return
    facts = {
        "url": url,
        "path": path,
        "status": answer.status,
        "connect": took(connected),
        "answered": took(answer.seconds),
    }
    if answer.status >= 500:
        yield warning("gateway.ill", **facts)
    elif answer.status >= 400:
        yield note("gateway.no-health", **facts)
    elif connected > _SLOW_CONNECT or answer.seconds > _SLOW_HEALTH:
        yield warning("gateway.slow", **facts)
    else:
        yield ok("gateway.reachable", **facts)


def _clock(answer: Answer) -> Iterator[Finding]:
    said = answer.header(b"date")
    try:
        skew = parsedate_to_datetime(said).timestamp() - answer.at if said is not None else None
    except ValueError:
        skew = None
    if skew is None:
        yield note("clock.gateway-silent")
    elif abs(skew) < _CLOCK_WELL:
        yield ok("clock.gateway")
    else:
        tell = warning if abs(skew) < _CLOCK_ILL else problem
        yield tell("clock.gateway-off", seconds=f"{skew:+.0f}")


async def hubs(askers: Mapping[str, Asker]) -> list[Finding]:
    """Whether what webhooks are sent on to takes connections; nothing is posted there."""

    async def hub(url: str, asker: Asker) -> Finding:
        try:
            async with asyncio.timeout(CONNECT_PATIENCE):
                return ok("gateway.hub-reachable", url=url, connect=took(await asker.connect()))
        except TimeoutError:
            return warning("gateway.hub-unreachable", url=url, why=f"{CONNECT_PATIENCE:.0f} s")
        except UpstreamError as error:
            return warning("gateway.hub-unreachable", url=url, why=str(error))

    return list(await asyncio.gather(*(hub(url, asker) for url, asker in askers.items())))
