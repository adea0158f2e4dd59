"""What the story says alike of several gateways."""

import pytest

from statusproxy.demo.dialects.phrases import RARELY_STALE, UNLINKED
from statusproxy.demo.dialects.table import DIALECTS


def test_a_loss_names_the_session_whose_phone_was_unlinked() -> None:
    assert UNLINKED.format(session="sales") == "Someone unlinks the phone of 'sales'"


@pytest.mark.parametrize("name", ["openwa", "waha", "wuzapi"])
def test_gateways_whose_list_follows_their_events_say_what_the_proxy_adds(name: str) -> None:
    assert DIALECTS[name].stale == RARELY_STALE
    assert "adds the history of each loss" in RARELY_STALE
