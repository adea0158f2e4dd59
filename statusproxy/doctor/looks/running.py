"""The running proxy: what its admin listener reports, and whether it is the one that the settings describe."""

import asyncio
from collections.abc import Iterator
from http.client import UNAUTHORIZED

from statusproxy import __version__
from statusproxy.admin import client
from statusproxy.admin.client import AdminError
from statusproxy.admin.messages import SelfReport, Sessions
from statusproxy.config.addresses import Address, conceal_url
from statusproxy.config.dump import from_yaml
from statusproxy.config.load import dump
from statusproxy.config.restart import waits
from statusproxy.config.settings import Settings
from statusproxy.config.spot import MASK
from statusproxy.doctor.findings import Finding, ago, listed, note, ok, problem, warning
from statusproxy.doctor.looks.ports import is_statusproxy
from statusproxy.doctor.subject import Subject
from statusproxy.observe.absences import HOUR, UPGRADE

#: Seconds that the running proxy may take to answer. It looks at the gateway first, for `admin.health.PATIENCE`.
PATIENCE = 6.0


async def look(subject: Subject) -> list[Finding]:
    """Ask the running proxy, and keep its reports for the looks that follow."""
    subject.report, subject.sessions, findings = await ask(subject.settings, subject.admin)
    # Another program that answers there is told already.
    free = any(finding.code == "proxy.not-running" for finding in findings)
    subject.nothing_runs = free and subject.admin is None
    served = await _served(subject.settings) if subject.report is None else None
    if served is None:
        return findings
    subject.serves_unasked = True
    return [_elsewhere(served, finding) for finding in findings]


async def _served(settings: Settings) -> Address | None:
    """The first address of `listen` that a statusproxy serves, whatever its admin listener says."""
    for address in settings.listen:
        if (address.unix or address.port) and await is_statusproxy(address):
            return address
    return None


def _elsewhere(served: Address, finding: Finding) -> Finding:
    """The finding when the admin listener does not answer, but a statusproxy serves clients."""
    if finding.code == "proxy.not-running":
        return warning("proxy.admin-elsewhere", address=served, **finding.facts)
    return finding


async def ask(settings: Settings, where: str | None = None) -> tuple[SelfReport | None, Sessions | None, list[Finding]]:
    """The running proxy's reports on itself and on its sessions, as far as it gives them, and the findings.

    `where` is its admin listener, if not as the settings say.
    """
    token = settings.admin.token
    if where is None:
        if settings.admin.listen is None:
            return None, None, [note("proxy.cannot-be-asked")]
        where = str(settings.admin.listen)
    try:
        answers = await asyncio.gather(
            asyncio.to_thread(client.ask, where, "GET", "/doctor", token, PATIENCE),
            asyncio.to_thread(client.ask, where, "GET", "/sessions", token, PATIENCE),
        )
        report, sessions = client.typed(answers[0], SelfReport), client.typed(answers[1], Sessions)
    except AdminError as error:
        where = conceal_url(where, MASK)
        if isinstance(error.__cause__, ConnectionRefusedError | FileNotFoundError):
            return None, None, [warning("proxy.not-running", admin=where)]
        if error.status == UNAUTHORIZED:
            return None, None, [warning("proxy.token-refused", admin=where)]
        return None, None, [warning("proxy.does-not-tell", admin=where, why=str(error))]
    return report, sessions, _judge(report, settings)


def _judge(report: SelfReport, settings: Settings) -> list[Finding]:
    findings = [
        ok("proxy.running", version=report.version, pid=report.pid, since=ago(report.now - report.started))
        if report.version == __version__
        else warning("proxy.other-version", running=report.version, installed=__version__)
    ]
    changed = list(_differences(from_yaml(report.settings), from_yaml(dump(settings))))
    # Options on `run`'s command line override the file permanently: their keys wait for no restart or reload.
    changed = [key for key in changed if key not in report.given]
    restart = [key for key in changed if key in report.waiting or waits(key)]
    reload = [key for key in changed if key not in restart]
    if restart:
        findings.append(warning("proxy.restart-pending", keys=listed(restart)))
    if reload:
        findings.append(warning("proxy.reload-pending", keys=listed(reload)))
    health = report.health
    if health.store != "ok":
        findings.append(problem("proxy.store-error", why=health.store))
    findings += [warning("proxy.state-damaged", what=each) for each in health.damage]
    if health.journal not in (None, "ok", "off"):
        findings.append(warning("proxy.no-journal", why=health.journal))
    if len(health.proxies) > 1:
        findings.append(ok("proxy.shares-state", count=len(health.proxies), who="; ".join(health.proxies)))
    if health.gateway != "ok":
        findings.append(problem("proxy.gateway-error", why=health.gateway))
    return [*findings, *_absences(report)]


def _absences(report: SelfReport) -> Iterator[Finding]:
    """What proxies in front leave out, where it went on within the last hour."""
    for one in report.absences:
        if report.now - one.last >= HOUR:
            continue
        facts = {
            "peer": one.peer,
            "count": one.count,
            "webhooks": one.webhooks,
            "last": ago(report.now - one.last),
        }
        if one.missing == UPGRADE:
            yield warning("proxy.no-upgrade", **facts)
        elif one.webhooks:
            yield problem("proxy.unnamed-events", **facts)
        else:
            yield warning("proxy.unnamed-clients", **facts)


def _differences(running: object, written: object, key: str = "") -> Iterator[str]:
    """The keys in which two dumps differ: of blocks each one within, of lists the whole.

    Secrets are masked in both: a changed one does not show.
    """
    if isinstance(running, dict) and isinstance(written, dict):
        for name in running | written:
            yield from _differences(running.get(name), written.get(name), f"{key}.{name}" if key else str(name))
    elif running != written and key:
        yield key
