"""The block `alerts` of the configuration in the form that decisions are made by."""

from statusproxy.alerts.values import AlertRules, Target, Topic
from statusproxy.config.alerts import Alerts

__all__ = ["alert_rules"]


def alert_rules(alerts: Alerts) -> AlertRules:
    """When messages are made, and for which targets: in the order of the file, without addresses and secrets."""
    return AlertRules(
        after=alerts.after,
        remind=alerts.remind,
        group=alerts.group,
        targets=tuple(
            Target(each.id, name, frozenset(map(Topic, alerts.topics(each))), each.sessions)
            for each, name in zip(alerts.to, _names(alerts), strict=True)
        ),
    )


def _names(alerts: Alerts) -> list[str]:
    """A name for each target; those that would share one have their number in the file behind it."""
    names = [each.name for each in alerts.to]
    return [f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names, 1)]
