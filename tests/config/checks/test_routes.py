# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Checks of routes: one that would get no request is refused, with the fix."""

import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import Reconnect
from tests.config.refusals import GATEWAY, refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "webhooks:\n- {path: /a}\n- {path: /A/}",
            '4: webhooks[1].path: found "/A/"; webhooks[0] has the same path; allowed: each path once',
        ),
        (
            "reconnect:\n  create: [POST /a/{session}, POST /a/b]",
            "3: reconnect.create[1]: it gets no request, since reconnect.create takes them first; allowed: routes that differ",
        ),
        (
            "reconnect:\n  qr: GET /api/channels/{session}\nchannels:\n  - {path: '/api/channels/{session}', list: [x]}",
            "3: reconnect.qr: it gets no request, since channels[0] takes them first; allowed: routes that differ",
        ),
        (
            "reconnect:\n  create:\n    - POST /hook\n  body: [id]\nwebhooks:\n  - path: /Hook/",
            "4: reconnect.create[0]: it gets no request, since webhooks[0] takes them first; allowed: routes that differ",
        ),
        (
            "channels:\n  - {path: '/api/{session}', list: [x]}\n  - {path: /api/sessions, list: [x]}",
            "4: channels[1]: it gets no request, since channels[0] takes them first; allowed: routes that differ",
        ),
        (
            "webhooks:\n  - {path: /tap, forward: false}\nchannels:\n  - {path: /tap, list: [x]}",
            "5: channels[0]: it gets no request, since webhooks[0] takes them first; allowed: routes that differ",
        ),
        (
            "webhooks: [{path: /api/channels, forward: false}]",
            "2: webhooks[0]: it takes the requests of /api/channels, which the preset has in channels; allowed: another path, or preset_without: [/api/channels]",
        ),
        (
            "webhooks:\n  - {path: /x}\n  - {path: '/v1/webhooks/{session}'}",
            "4: webhooks[1]: it takes the requests of /v1/webhooks/receive, which the preset has in webhooks; allowed: another path, an entry /v1/webhooks/receive before this one, or preset_without: [/v1/webhooks/receive]",
        ),
        (
            "channels: [{path: '/api/{session}', list: [x]}]",
            "2: channels[0]: it takes the requests of /api/channels, which the preset has in channels; allowed: another path, or preset_without: [/api/channels]",
        ),
        (
            "webhooks: [{path: '/api/channels/{session}', forward: false}]",
            "2: webhooks[0]: it takes the requests of /api/channels/{session}, which the preset has in channels; allowed: another path, or preset_without: [/api/channels/{session}]",
        ),
        (
            "webhooks: [{path: '/api/channels/{session}/qr', forward: false}]",
            "2: webhooks[0]: it takes the requests of /api/channels/{session}/qr, which the preset has in reconnect.qr; allowed: another path, or reconnect.qr of your own",
        ),
        (
            "webhooks: [{path: '/api/channels/{session}/start-session', forward: false}]",
            "2: webhooks[0]: it takes the requests of /api/channels/{session}/start-session, which the preset has in reconnect.create; allowed: another path, or reconnect.create of your own",
        ),
    ],
)
def test_a_mistake_in_routes_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text, EMPTY="") == f"config.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "reconnect: {create: [POST /a, PUT /a], body: [id]}",
        "reconnect: {create: ['POST /a/b', 'POST /a/{session}'], body: [id]}",
        "webhooks: [{path: /api/channels}]",  # takes requests of the preset's `create`, which is not the user's to correct
        "webhooks: [{path: '/api/channels/{session}/start-session'}]",  # forwarded: the route still does its work
    ],
)
def test_routes_that_can_have_an_effect_are_accepted(text: str) -> None:
    assert loads(GATEWAY + text).gateway == "http://gw.example:3000"


def test_a_path_of_the_preset_before_one_that_would_take_its_requests_is_fine() -> None:
    text = "webhooks:\n  - {path: /v1/webhooks/receive}\n  - {path: '/v1/webhooks/{session}'}"
    assert [each.path for each in loads(GATEWAY + text).webhooks] == ["/v1/webhooks/receive", "/v1/webhooks/{session}"]


def test_a_path_of_the_preset_that_was_left_out_may_be_taken() -> None:
    text = "preset_without: /api/channels\nwebhooks: [{path: /api/channels, forward: false}]"
    assert loads(GATEWAY + text).webhooks[0].path == "/api/channels"


@pytest.mark.parametrize("key", Reconnect().routes())
def test_each_watched_route_that_gets_no_request_is_refused(key: str) -> None:
    said = refused(f"{GATEWAY}reconnect:\n  {key}: [POST /a/{{session}}, POST /a/{{session}}]")
    assert f"reconnect.{key}[1]: it gets no request, since reconnect.{key} takes them first" in said
