"""A list given as an event, and an event given as a list."""

import json

import pytest

from statusproxy.rehearsal.mixed_up import event_in, listed_on
from tests.rehearsal.sites import a_site

SITE = a_site()


@pytest.mark.parametrize(
    ("body", "route"),
    [
        ({"channels": [{"id": "a", "status": "connected"}, {"id": "b", "up": True}]}, "/list"),
        ({"channels": []}, None),
        ({"channels": [{"id": "a"}]}, None),
        ({"channels": [{"id": "a", "status": "connected"}, {"id": "b"}]}, None),
        ({"channel": {"id": "a", "status": "connected"}}, None),
        ({"event": "state", "channels": [{"id": "a", "status": "connected"}]}, None),
        ({"type": "LoggedOut"}, None),
        ([{"event": "lost", "id": "a", "status": "connected"}], None),
    ],
)
def test_what_names_channels_with_their_words_and_no_event_is_a_list(body: object, route: str | None) -> None:
    assert listed_on(json.dumps(body).encode(), SITE) == route


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"event":"lost"}', "lost"),
        (b'[{"event":"odd"},{"event":"Lost"}]', "Lost"),
        (b'{"event":"odd"}', None),
        (b'{"channels":5}', None),
        (b"5", None),
    ],
)
def test_what_a_rule_names_is_an_event(body: bytes, event: str | None) -> None:
    assert event_in(body, SITE) == event
