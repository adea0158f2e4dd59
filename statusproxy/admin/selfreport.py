"""The report of a running proxy for `statusproxy doctor`: its settings, webhook senders, untrusted proxies."""

import os
from collections.abc import Sequence

from statusproxy import __version__
from statusproxy.admin.alert_messages import AlertsReport
from statusproxy.admin.messages import Health, SelfReport
from statusproxy.admin.spool_messages import SpoolTotals
from statusproxy.config.load import dump
from statusproxy.config.settings import Settings
from statusproxy.proxy.handler import Proxy
from statusproxy.registry.registry import SessionRegistry


def self_report(
    registry: SessionRegistry,
    proxy: Proxy,
    settings: Settings,
    listening: Sequence[str],
    health: Health,
    waiting: Sequence[str] = (),
    given: Sequence[str] = (),
    spool: SpoolTotals | None = None,
    alerts: AlertsReport | None = None,
) -> SelfReport:
    """All that the doctor asks for. `waiting` and `given` are keys of settings (`SelfReport`)."""
    return SelfReport(
        version=__version__,
        pid=os.getpid(),
        now=registry.clock.wall(),
        started=registry.started_at,
        listening=list(listening),
        settings=dump(settings),
        waiting=list(waiting),
        given=list(given),
        health=health,
        webhooks=registry.webhooks.report(),
        absences=registry.absences.report(),
        forwarding_strangers=list(proxy.site.trust.strangers),
        spool=spool,
        alerts=alerts,
    )
