"""All checks, in order: what each is given, and what is left out where something before it failed."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from statusproxy.admin.messages import Sessions
from statusproxy.assembly import build_site
from statusproxy.config.settings import Settings
from statusproxy.doctor.asking import Asker
from statusproxy.doctor.findings import Finding, note, problem
from statusproxy.doctor.looks import (
    channels,
    configuration,
    disk,
    gateway,
    ports,
    running,
    service,
    state_server,
    webhooks,
)
from statusproxy.doctor.looks.channels import Credentials
from statusproxy.doctor.paste import Written
from statusproxy.systemd import with_state_directory


async def examine(
    settings: Settings,
    source: Path | None,
    environ: Mapping[str, str],
    credentials: Credentials = Credentials(),  # noqa: B008 - a frozen value
    *,
    admin: str | None = None,
    run: service.Run = service.run,
    booted: bool | None = None,
) -> list[Finding]:
    """Examine the site that `settings` (read from `source`) describe. Changes nothing, anywhere."""
    written = Written.read(source)
    findings = await configuration.configuration(settings, None if source is None else str(source), written)
    report, sessions, said = await running.ask(settings, admin)
    findings += said
    serving = None if report is None else report.listening
    findings += await ports.ports(settings.listen, serving)
    if report is None and settings.admin.listen is not None and admin is None and _is_free(said):
        findings += await ports.ports([settings.admin.listen], None, admin=True)
    findings += await _gateway(settings, credentials, sessions, written)
    findings += await webhooks.webhooks(settings, report, written, _heard_before(sessions))
    works = report is not None and report.health.store == "ok"
    known = with_state_directory(environ, source)
    findings += await disk.disk(settings.state.url, known, works=works)
    findings += await state_server.state_server(settings.state, known, works=works)
    return [*findings, *await service.service(run, booted)]


def _heard_before(sessions: Sessions | None) -> float | None:
    """When any session was last heard of, as the running proxy remembers over restarts."""
    moments = [one.last_event_at for one in (sessions.sessions if sessions else ()) if one.last_event_at]
    return max((datetime.fromisoformat(each).timestamp() for each in moments), default=None)


def _is_free(said: list[Finding]) -> bool:
    """Whether nothing answered where the admin listener is to be: what else answers is told already."""
    return any(finding.code == "proxy.not-running" for finding in said)


async def _gateway(
    settings: Settings, credentials: Credentials, sessions: Sessions | None, written: Written
) -> list[Finding]:
    try:
        site = build_site(settings)
    except (OSError, ValueError) as error:
        return [problem("gateway.tls-failed", url=settings.gateway, why=str(error))]
    try:
        asker = Asker(site.pool, settings.limits.corrected)
        hubs = {_url(name): Asker(pool, 0) for name, pool in site.pools.items() if pool is not site.pool}
        (reached, findings), hub_findings = await asyncio.gather(
            gateway.gateway(asker, settings.gateway), gateway.hubs(hubs)
        )
        if reached:
            known = None if sessions is None else sessions.sessions
            findings += await channels.lists(settings, asker, credentials, known, written)
        else:
            findings.append(note("channels.not-checked"))
        return [*findings, *hub_findings]
    finally:
        for pool in site.pools.values():
            pool.abort()


def _url(name: str) -> str:
    """A pool's name (`hub https hub.example `) as a URL."""
    _, scheme, authority, *path = name.split(" ")
    return f"unix:{path[0]}" if scheme == "unix" and path else f"{scheme}://{authority}"
