"""The configuration: what it names, and what in it opens a door or leaves something undone."""

from collections.abc import Iterator, Sequence

from statusproxy.addresses import Network
from statusproxy.config import Settings
from statusproxy.doctor.findings import Finding, note, ok, problem, warning
from statusproxy.state_url import Memory, parse_state_url
from statusproxy.status.signals import Kind


async def configuration(settings: Settings, source: str | None) -> list[Finding]:
    """Look through valid settings; `source` names their file, None where there is none."""
    preset = settings.preset or "–"
    first = (
        note("configuration.no-file", gateway=settings.gateway, preset=preset)
        if source is None
        else ok("configuration.valid", file=source, gateway=settings.gateway, preset=preset)
    )
    return [first, *_gaps(settings), *_open_doors(settings)]


def _gaps(settings: Settings) -> Iterator[Finding]:
    rules = [event.rule() for event in settings.events]
    if not settings.webhooks:
        yield problem("configuration.no-webhooks")
    if not any(rule.means is Kind.DISCONNECTED or rule.disconnected for rule in rules):
        yield problem("configuration.no-disconnect-rule")
    if not settings.channels:
        yield problem("configuration.no-channels")
    if settings.admin.listen is None:
        yield note("configuration.admin-off")
    if isinstance(parse_state_url(settings.state.url), Memory):
        yield warning("configuration.forgetful")


def _open_doors(settings: Settings) -> Iterator[Finding]:
    for webhook in settings.webhooks:
        if _is_everybody(webhook.from_) and webhook.secret is None and webhook.hmac is None:
            yield warning("configuration.believes-everybody", path=webhook.path)
    if _is_everybody(settings.trusted_proxies):
        yield warning("configuration.trusts-everybody")
    if settings.presence == "trust":
        yield warning("configuration.presence-trusted")


def _is_everybody(networks: Sequence[Network]) -> bool:
    return any(network.prefixlen == 0 for network in networks)
