"""The configuration: what it names, and settings that are insecure or incomplete."""

from collections.abc import Iterator, Sequence

from statusproxy.config.addresses import Network
from statusproxy.config.layers import about, preset_names
from statusproxy.config.packages import missing_for_alerts, missing_for_webhooks
from statusproxy.config.schema import PRIVATE_NETWORKS
from statusproxy.config.settings import Settings, State
from statusproxy.config.state_url import Memory, parse_state_url
from statusproxy.doctor.findings import Finding, note, ok, problem, warning
from statusproxy.doctor.paste import Written
from statusproxy.doctor.subject import Subject
from statusproxy.status.signals import EventRule, SignalKind

#: Loopback and private networks, as the file writes them.
PRIVATE = [str(network) for network in PRIVATE_NETWORKS]


async def look(subject: Subject) -> list[Finding]:
    """Look through the subject's settings."""
    source = None if subject.source is None else str(subject.source)
    return await configuration(subject.settings, source, subject.written)


async def configuration(
    settings: Settings,
    source: str | None,
    written: Written = Written(),  # noqa: B008 - a frozen value
) -> list[Finding]:
    """Look through valid settings. `source` names their file (None: there is no file), `written` is what it says."""
    preset = settings.preset or "–"
    first = (
        note("configuration.no-file", gateway=settings.gateway_shown, preset=preset)
        if source is None
        else ok("configuration.valid", file=source, gateway=settings.gateway_shown, preset=preset)
    )
    return [first, *_gaps(settings, written), *_open_doors(settings, written)]


def _gaps(settings: Settings, written: Written) -> Iterator[Finding]:
    missing = missing_for_webhooks(settings.webhooks)
    if missing is not None:
        yield problem("configuration.jwt-package", why=missing)
    missing = missing_for_alerts(settings.alerts)
    if missing is not None:
        yield problem("configuration.alerts-package", why=missing)
    rules = [event.rule() for event in settings.events]
    said = about(settings.preset) if settings.preset in preset_names() else None
    if said is not None and not settings.webhooks and not settings.events:  # a gateway that tells nothing of sessions
        yield note("configuration.no-events", title=said.title)
    else:
        yield from _without_events(settings, rules, written)
    if not settings.channels:
        yield problem("configuration.no-channels", lines=written.with_preset("channels", settings.preset))
    if settings.admin.listen is None:
        yield note("configuration.admin-off")
    if isinstance(parse_state_url(settings.state.url), Memory):
        yield warning("configuration.forgetful", lines=written.with_keys("state", url=State().url))


def _without_events(settings: Settings, rules: Sequence[EventRule], written: Written) -> Iterator[Finding]:
    if not settings.webhooks:
        yield problem("configuration.no-webhooks", lines=written.with_preset("webhooks", settings.preset))
    if not any(rule.means is SignalKind.DISCONNECTED or rule.disconnected for rule in rules):
        yield problem("configuration.no-disconnect-rule", lines=written.with_preset("events", settings.preset))


def _open_doors(settings: Settings, written: Written) -> Iterator[Finding]:
    for webhook in settings.webhooks:
        if _is_everybody(webhook.from_) and not webhook.secrets:
            lines = written.with_entry("webhooks", webhook.path, **{"from": PRIVATE})
            yield warning("configuration.trusts-any-sender", path=webhook.path, lines=lines)
    if _is_everybody(settings.trusted_proxies):
        yield warning("configuration.trusts-everybody", lines=written.with_value("trusted_proxies", PRIVATE))
    if settings.presence == "trust":
        yield warning("configuration.presence-trusted", lines=written.with_value("presence", "ignore"))


def _is_everybody(networks: Sequence[Network]) -> bool:
    return any(network.prefixlen == 0 for network in networks)
