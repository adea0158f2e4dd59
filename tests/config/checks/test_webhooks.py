# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Checks of `webhooks`: what contradicts itself, loops, or can never be trusted is refused, with the fix."""

import pytest

from statusproxy.config.load import loads
from tests.config.refusals import GATEWAY, refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "webhooks:\n- path: /a\n  forward: false\n  forward_to: http://h.example",
            (
                "4: webhooks[0].forward: found false beside forward_to; "
                "allowed: forward_to (events go there) or forward: false (a tap)"
            ),
        ),
        (
            'webhooks: [{path: /a, forward_to: "http://h.example/{session}"}]',
            "2: webhooks[0].forward_to: {session} is here, but not as a segment of path; allowed: in both, or in path alone",
        ),
        (
            'webhooks: [{path: "/a/{session}:{_}", forward_to: "http://hub.example/{session}"}]',
            "2: webhooks[0].forward_to: {session} is here, but not as a segment of path; allowed: in both, or in path alone",
        ),
        (
            "webhooks: [{path: /a/**, forward: false, except: [/a/set, /b/set]}]",
            "2: webhooks[0].except: /a/** does not match /b/set; allowed: paths that it matches, but that are the gateway's own",
        ),
        (
            'webhooks: [{path: /a, forward_to: "http://hub.example/x/**"}]',
            "2: webhooks[0].forward_to: `forward_to` has /**, `path` does not; allowed: in both, or in path alone",
        ),
        (
            "webhooks: [{path: /**, forward: false}]",
            '2: webhooks[0].path: found "/**"; a tap would take all paths here, also those of the gateway; allowed: a name before it, such as /tap/**',
        ),
        (
            "webhooks: [{path: '/{_}/{session}', forward: false}]",
            '2: webhooks[0].path: found "/{_}/{session}"; a tap would take all paths here, also those of the gateway; allowed: a name before it, such as /tap/{_}/{session}',
        ),
        (
            'webhooks: [{path: "/a/{session}", forward_to: "http://h.example/x{session}"}]',
            "2: webhooks[0].forward_to: allowed: {session} once, as a whole segment of the path",
        ),
        (
            'webhooks: [{path: "/a/{session}", forward_to: "http://h.example/{session}?s={session}"}]',
            "2: webhooks[0].forward_to: allowed: {session} once, as a whole segment of the path",
        ),
        (
            "underscores_in_headers: drop\nwebhooks:\n  - path: /a\n    secret: {header: X_Secret, value: s}",
            (
                "5: webhooks[0].secret.header: found a name with _; underscores_in_headers: drop removes this field, so no event "
                "would be trusted; allowed: a name without _, or underscores_in_headers: pass"
            ),
        ),
        (
            "underscores_in_headers: drop\nwebhooks:\n  - path: /a\n  - {path: /b, hmac: {header: X_S, secret: s}}",
            (
                "5: webhooks[1].hmac.header: found a name with _; underscores_in_headers: drop removes this field, so no event "
                "would be trusted; allowed: a name without _, or underscores_in_headers: pass"
            ),
        ),
        (
            "webhooks:\n  - path: /hook/*",
            '3: webhooks[0].path: found "/hook/*"; allowed: a path such as /api/channels or /api/channels/{session}, with /** for it and everything below; did you mean "/hook/**"?',
        ),
        (
            "webhooks:\n  - path: /a\n    from: []",
            "4: webhooks[0].from: found an empty list, so no event here is ever trusted; allowed: networks of the senders, or no from for private networks",
        ),
        (
            "webhooks:\n  - path: /a\n    secret: {header: X-S, value: v}\n    hmac: {header: x-s, secret: s}",
            "5: webhooks[0].hmac.header: found the header of secret, which cannot hold both, so no event is ever trusted; allowed: another header",
        ),
        (
            "underscores_in_headers: drop\nwebhooks:\n  - {path: /b, jwt: {header: X_J, secret: s}}",
            (
                "4: webhooks[0].jwt.header: found a name with _; underscores_in_headers: drop removes this field, so no event "
                "would be trusted; allowed: a name without _, or underscores_in_headers: pass"
            ),
        ),
        (
            "webhooks:\n  - path: /a\n    secret: {header: authorization, value: v}\n    jwt: {secret: s}",
            "5: webhooks[0].jwt: found the header of secret, which cannot hold both, so no event is ever trusted; allowed: another header",
        ),
        (
            "webhooks:\n  - path: /a\n    jwt: {header: X-S, secret: s}\n    hmac: {header: x-s, secret: s}",
            "4: webhooks[0].jwt.header: found the header of hmac, which cannot hold both, so no event is ever trusted; allowed: another header",
        ),
        (
            "webhooks: [{path: /a, jwt: {secret: 'ssh-rsa AAAA hush'}}]",
            "2: webhooks[0].jwt.secret: found a public or private key, which cannot sign with HS256, so no event is ever trusted; allowed: the secret that the sender signs with",
        ),
        (
            "webhooks: [{path: /a, jwt: {header: X-J}}]",
            "2: webhooks[0].jwt.secret: missing; it has no default",
        ),
        (
            "webhooks: [{path: /a, token: {field: '', value: hush}}]",
            "2: webhooks[0].token.field: found a text; allowed: the name of a field, or names joined by dots",
        ),
        (
            "webhooks: [{path: /a, token: {field: 'items[0].key', value: hush}}]",
            "2: webhooks[0].token.field: found a text; allowed: a field, or fields joined by dots, such as session.id; a path cannot lead into an array, so a number, [] or * never matches",
        ),
        (
            "webhooks: [{path: /a, token: {field: apikey, value: '  '}}]",
            "2: webhooks[0].token.value: found white space only, or more than 512 characters, which is not read from a field, so no event is ever trusted; allowed: a shorter text that others cannot guess",
        ),
        (
            f"webhooks: [{{path: /a, token: {{field: apikey, value: {'x' * 513}}}}}]",
            "2: webhooks[0].token.value: found white space only, or more than 512 characters, which is not read from a field, so no event is ever trusted; allowed: a shorter text that others cannot guess",
        ),
        (
            "webhooks: [{path: /hub, forward_to: http://127.0.0.1:8090/hub}]",
            '2: webhooks[0].forward_to: found "http://127.0.0.1:8090/hub"; it is in listen too, so events would come back to this proxy; allowed: the receiver\'s address',
        ),
        (
            "webhooks: [{path: /hub, forward_to: http://localhost:8091/hub}]",
            '2: webhooks[0].forward_to: found "http://localhost:8091/hub"; it is admin.listen, which accepts no events; allowed: the receiver\'s address',
        ),
        (
            "webhooks: [{path: '/{session}/', forward: false}]",
            '2: webhooks[0].path: found "/{session}/"; a tap would take all paths here, also those of the gateway; allowed: a name before it, such as /tap/{session}/',
        ),
        (
            "webhooks: [{path: /a, forward: false, spool: true}]",
            "2: webhooks[0].spool: found true with forward: false, where nothing is delivered and nothing can be kept; allowed: forward_to with the address that the events go on to, or no spool",
        ),
        (
            "webhooks: [{path: /a, secret: {header: X-S, value: ' x'}}]",
            "2: webhooks[0].secret.value: found a space at the beginning or the end, which no header can have, so no event is ever trusted; allowed: a secret without it",
        ),
    ],
)
def test_a_mistake_in_webhooks_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text, EMPTY="") == f"config.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "webhooks: [{path: /a, from: [], forward_to: 'http://hub.example/'}]",  # routes, and trusts no one
        "webhooks: [{path: /a/%2A}]",
        "webhooks: [{path: /v1/x:y}]",
        "webhooks: [{path: /hub, forward_to: http://127.0.0.1:8091/hub}]\nadmin: {listen: null}",
        "webhooks: [{path: '/{session}'}]",
        "webhooks: [{path: /a, token: {field: data.apikey, value: ' x '}, jwt: {secret: s}, hmac: {header: X-S, secret: s}}]",
    ],
)
def test_webhooks_that_can_have_an_effect_are_accepted(text: str) -> None:
    assert loads(GATEWAY + text).gateway == "http://gw.example:3000"


def test_a_session_in_the_path_may_be_passed_on_in_the_receivers_path() -> None:
    (webhook,) = loads(
        GATEWAY + 'preset: null\nwebhooks: [{path: "/a/{session}", forward_to: "http://h.example/x/{session}"}]'
    ).webhooks
    assert webhook.forward_to == "http://h.example/x/{session}"


@pytest.mark.parametrize("host", ["h.example", "h"])
def test_a_field_without_an_underscore_is_fine_where_they_are_dropped(host: str) -> None:
    text = f"underscores_in_headers: drop\nwebhooks: [{{path: /a, secret: {{header: {host}, value: s}}}}]"
    assert loads(GATEWAY + text).underscores_in_headers == "drop"
