# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Checks of `alerts`: what can be sent nowhere, twice or to this proxy itself is refused, with the fix."""

import pytest

from statusproxy.config.load import loads
from tests.config.refusals import GATEWAY, refused

ONE = "allowed: webhook (a URL that takes JSON) or apprise (a URL of Apprise), one of the two"
HUB = "webhook: 'https://hub.example/zq7'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("to: [{on: [lost]}]", f"alerts.to[0]: found neither webhook nor apprise; {ONE}"),
        ("to: [{webhook: null}]", f"alerts.to[0]: found neither webhook nor apprise; {ONE}"),
        (f"to: [{{{HUB}, apprise: 'ntfy://zq7/x'}}]", f"alerts.to[0].apprise: found beside webhook; {ONE}"),
        (
            "to: [{apprise: 'ntfy://zq7/x', secret: zq7}]",
            "alerts.to[0].secret: found beside apprise, which signs nothing; allowed: with webhook (what Apprise sends with is in its URL)",
        ),
        (
            f"to: [{{{HUB}, secret: whsec_zq7}}]",
            "alerts.to[0].secret: found no base64 after whsec_; allowed: whsec_ and the key in base64, or a text that does not begin with whsec_",
        ),
        (
            "to: []",
            "alerts.to: found no target, so nobody is told; allowed: a list such as [{webhook: https://hub.example/alerts}]; for no alerts remove the block alerts",
        ),
        (
            f"{{to: [{{{HUB}}}], remind: 20s}}",
            "alerts.remind: found a text; allowed: at least group (30s), the shortest time between two messages; or null for no reminder",
        ),
        (
            f"to: [{{{HUB}}}, {{{HUB}, on: [back]}}]",
            "alerts.to[1]: found the address of to[0]; allowed: each address once",
        ),
        *(
            (
                f"{{to: [{{{HUB}}}, {{webhook: '{url}'}}]}}",
                "alerts.to[1].webhook: found an address of this proxy itself, which accepts no alerts; allowed: the address of the receiver",
            )
            for url in ("http://127.0.0.1:8090/zq7", "http://localhost:8091/", "http://[::1]:7000/x")
        ),
        (
            "heartbeat: http://127.0.0.1:8090/zq7",
            "alerts.heartbeat: found an address of this proxy itself, which accepts no alerts; allowed: the address of the receiver",
        ),
    ],
)
def test_alerts_that_reach_nobody_are_refused_with_the_fix(text: str, message: str) -> None:
    error = refused(f"{GATEWAY}listen: ['0.0.0.0:8090', '[::1]:7000']\nalerts:\n  {text}")
    assert error == f"config.yaml:4: {message}"
    assert "zq7" not in error


@pytest.mark.parametrize(
    "text",
    [
        f"to: [{{{HUB}}}, {{webhook: 'https://hub.example/other'}}, {{apprise: 'ntfy://hub.example/zq7'}}]",
        f"{{to: [{{{HUB}}}], remind: null, group: 1h}}",
        "heartbeat: http://127.0.0.1:3001/api/push/key",
        "{to: [{webhook: 'http://127.0.0.1:9000/x'}], heartbeat: null}",
    ],
)
def test_alerts_that_reach_someone_are_taken(text: str) -> None:
    assert loads(f"{GATEWAY}admin: null\nalerts:\n  {text}").alerts is not None
