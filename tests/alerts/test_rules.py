"""The rules of alerts that a configuration says."""

from statusproxy.alerts.rules import alert_rules
from statusproxy.alerts.values import Topic
from statusproxy.config.alerts import TOPICS
from statusproxy.config.load import loads

CONFIG = """
gateway: http://gw.example
alerts:
  after: 90s
  remind: null
  group: 10s
  on: [lost, store]
  to:
    - webhook: https://hub.example:8443/alerts/t0k3n
      secret: hush-hush
    - apprise: tgram://t0k3n/chat
      on: [back]
      sessions: ["sales*"]
"""


def test_the_rules_are_those_of_the_configuration_without_addresses() -> None:
    alerts = loads(CONFIG).alerts
    assert alerts is not None
    rules = alert_rules(alerts)
    assert (rules.after, rules.remind, rules.group) == (90.0, None, 10.0)
    assert [(each.name, each.on, each.sessions) for each in rules.targets] == [
        ("webhook hub.example:8443", frozenset({Topic.LOST, Topic.STORE}), ("*",)),
        ("apprise tgram", frozenset({Topic.BACK}), ("sales*",)),
    ]
    assert "t0k3n" not in repr(rules)
    assert "hush" not in repr(rules)


def test_each_topic_can_be_asked_for() -> None:
    assert list(TOPICS) == [topic.value for topic in Topic]
