"""Every kind of route has an action of its own."""

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.proxy.actions.table import ACTIONS


def test_every_kind_has_one_action_and_none_serves_two() -> None:
    assert set(ACTIONS) == set(RouteKind)
    assert len(set(ACTIONS.values())) == len(RouteKind)
