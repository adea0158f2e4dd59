"""What the soak holds against the proxy: a request that is lost, one that comes twice, one that takes too long."""

from __future__ import annotations

from tests.soak.account import TOO_LONG, Account


def test_what_was_acknowledged_must_have_arrived() -> None:
    account = Account()
    for serial in ("a", "b"):
        account.sent(serial)
        account.acknowledged(serial)
    account.arrived({"a": 1})
    assert account.lost == 1


def test_what_was_sent_once_must_not_arrive_twice_be_it_in_two_reports() -> None:
    account = Account()
    account.sent("a")
    account.arrived({"a": 1, "a download": 2})
    account.arrived({"a": 1})
    assert account.twice == 1


def test_what_was_sent_and_not_acknowledged_may_be_lost() -> None:
    account = Account()
    account.sent("a")
    assert (account.lost, account.twice) == (0, 0)


def test_what_takes_too_long_is_counted_by_its_kind() -> None:
    account = Account()
    account.took("list", 0.1)
    account.took("list", TOO_LONG + 1)
    assert account.too_long == 1
    assert account.rows() == [("list", 2, TOO_LONG + 1, TOO_LONG + 1, TOO_LONG + 1, 1)]
