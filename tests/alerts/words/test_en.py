"""The words of messages in English: each type of message has them."""

from statusproxy.alerts.message_types import BEGUN, SIDES, TEST
from statusproxy.alerts.words import en


def test_each_type_has_a_title_and_what_follows_it() -> None:
    assert set(en.TITLES) == set(en.TELLS) == {*SIDES, TEST}
    assert set(en.REMINDERS) == set(BEGUN.values())


def test_only_sessions_are_many() -> None:
    assert [kind for kind, (_, many) in en.TITLES.items() if many] == ["session.lost", "session.back"]
