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


def test_targets_that_would_share_a_name_are_told_apart_by_their_numbers() -> None:
    alerts = loads(
        "gateway: http://gw.example\nalerts:\n  to:\n    - webhook: https://hub.example/a\n    - webhook: https://x.example\n"
        "    - webhook: https://hub.example/b\n"
    ).alerts
    assert alerts is not None
    names = [each.name for each in alert_rules(alerts).targets]
    assert names == ["webhook hub.example (1)", "webhook x.example", "webhook hub.example (3)"]
