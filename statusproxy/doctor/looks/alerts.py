"""Alerts: whether lost sessions are reported, whether messages arrive; with `--send`, each target is tried."""

from collections.abc import Iterator

from statusproxy.admin.alert_messages import AlertsReport
from statusproxy.config.alerts import Alerts
from statusproxy.doctor.findings import Finding, listed, note, ok, problem, warning
from statusproxy.doctor.subject import Subject


async def look(subject: Subject) -> list[Finding]:
    """Look at the settings and at what the running proxy tells; send test messages where the subject says so."""
    alerts = subject.settings.alerts
    if alerts is None:
        return [note("alerts.off")]
    findings = [_configured(alerts)]
    if subject.report is not None and subject.report.alerts is not None:
        findings += judge(subject.report.alerts)
    return findings + (await _tried(subject, alerts) if subject.send else [])


def judge(report: AlertsReport) -> Iterator[Finding]:
    """What the running proxy tells, as far as someone should know of it."""
    for target in report.targets:
        if target.last_error is not None:
            yield warning(
                "alerts.failing",
                number=target.number, target=target.target, error=target.last_error, waiting=target.waiting,
            )  # fmt: skip
    if not report.written:
        yield warning("alerts.not-written")
    beat = report.heartbeat
    if beat is not None and not beat.answered and beat.failed:
        yield warning("alerts.heartbeat-failing", failed=beat.failed, withheld=beat.withheld)


def _configured(alerts: Alerts) -> Finding:
    if not alerts.to:
        return note("alerts.heartbeat-only")
    return ok("alerts.on", targets=listed(target.name for target in alerts.to))


async def _tried(subject: Subject, alerts: Alerts) -> list[Finding]:
    from statusproxy.alerts.service import new_id
    from statusproxy.alerts.text import Reader
    from statusproxy.alerts.trial import try_all

    reader = Reader(language=subject.settings.language, gateway=subject.guidance.title)
    trial = await try_all(alerts, reader, new_id)
    findings = [
        ok("alerts.test-sent", target=target) if error is None
        else problem("alerts.test-failed", target=target, error=error)
        for target, error in trial.targets
    ]  # fmt: skip
    if alerts.heartbeat is not None:
        findings.append(
            ok("alerts.heartbeat-answered")
            if trial.heartbeat is None
            else problem("alerts.heartbeat-failed", error=trial.heartbeat)
        )
    return findings
