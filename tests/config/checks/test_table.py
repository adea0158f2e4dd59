"""The table of checks: of several mistakes in different blocks the first in a fixed order is reported."""

import pytest

from statusproxy.config import alerts, settings
from statusproxy.config.checks.table import CHECKS
from statusproxy.config.load import loads
from tests.config.refusals import GATEWAY, refused

#: One mistake for each check that looks at several blocks, in the order in which they are reported.
MISTAKES = {
    "webhooks[1].path": "webhooks: [{path: /a, secret: {header: X_S, value: s}}, {path: /a}]",
    "channels[1].path": "channels: [{path: /l, list: [x]}, {path: /l, list: [x]}]",
    "webhooks[0].secret.header": "webhooks: [{path: /a, secret: {header: X_S, value: s}}]",
    "listen": "listen: [':80', ':80']",
    "reconnect.create[1]": "reconnect: {create: [POST /a/b, POST /a/b], body: [id]}",
    "gateway": "gateway: http://127.0.0.1:80",
    "webhooks[0].forward_to": "webhooks: [{path: /a, forward_to: 'http://127.0.0.1:80/'}]",
    "alerts.heartbeat": "alerts: {heartbeat: 'http://127.0.0.1:80/'}",
}


@pytest.mark.parametrize("place", MISTAKES)
def test_of_several_mistakes_the_first_in_order_is_reported(place: str) -> None:
    later = list(MISTAKES)[list(MISTAKES).index(place) :]
    blocks: dict[str, str] = {"gateway": "gateway: http://gw.example", "listen": "listen: ':80'"}
    for name in reversed(later):
        blocks[name.partition("[")[0].partition(".")[0]] = MISTAKES[name]
    text = "\n".join(["underscores_in_headers: drop", *blocks.values()])
    assert f": {place}: " in refused(text)


def test_every_check_is_of_a_block_of_the_settings() -> None:
    blocks = vars(alerts) | vars(settings)
    assert all(blocks[block.__name__] is block for block in CHECKS)


def test_a_field_with_an_underscore_is_fine_where_these_pass() -> None:
    (webhook,) = loads(f"{GATEWAY}preset: null\n{MISTAKES['webhooks[0].secret.header']}").webhooks
    assert webhook.secret is not None
    assert webhook.secret.header == "X_S"
