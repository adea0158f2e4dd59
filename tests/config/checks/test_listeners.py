# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Checks of `listen` and `admin`: clashing addresses and an open `admin` without a token are refused, with the fix."""

import pytest

from statusproxy.config.addresses import Address
from statusproxy.config.load import loads
from tests.config.refusals import GATEWAY, refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen: [':80', ':80']", '2: listen: found ":80" twice; allowed: each address once'),
        (
            "admin:\n  listen: 0.0.0.0:8091",
            (
                '3: admin.listen: found "0.0.0.0:8091", which other machines may reach, and no admin.token; session states and '
                "the release button are private: write 127.0.0.1 or unix:/path, or set admin.token"
            ),
        ),
        (
            "admin: {listen: 0.0.0.0:8090, token: x}",
            (
                '2: admin.listen: admin.listen "0.0.0.0:8090" and listen "127.0.0.1:8090" are the same port; '
                "give admin.listen another"
            ),
        ),
        *(
            (
                f"listen: '{listen}'",
                f'2: listen: admin.listen "127.0.0.1:8091" and listen "{listen}" are the same port; give admin.listen another',
            )
            for listen in ("127.0.0.1:8091", "0.0.0.0:8091", ":8091", "localhost:8091")
        ),
        (
            "listen: ['0.0.0.0:9000', '127.0.0.1:9000']",
            '2: listen: found "0.0.0.0:9000" and "127.0.0.1:9000"; only one of them can be opened',
        ),
        (
            "admin: {token: 'x '}",
            "2: admin.token: found a space at the end, which no header can have, so no one is let in; allowed: a token without it",
        ),
        (
            "admin: {token: '${EMPTY}'}",
            "2: admin.token: found an empty secret; allowed: a text that others cannot guess",
        ),
        (
            "admin: {token: $ADMIN_TOKEN}",
            "2: admin.token: found $ and a name without braces; allowed: ${VAR} for a variable, or $$ for a dollar",
        ),
    ],
)
def test_a_mistake_in_listeners_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text, EMPTY="") == f"config.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "admin: {token: '${EMPTY:-}'}",
    ],
)
def test_listeners_that_can_have_an_effect_are_accepted(text: str) -> None:
    assert loads(GATEWAY + text).gateway == "http://gw.example:3000"


def test_a_listener_that_others_reach_is_fine_with_a_token() -> None:
    assert loads(GATEWAY + "admin: {listen: ':8091', token: x}").admin.listen == Address("", 8091)


def test_several_addresses_that_differ_are_fine() -> None:
    assert len(loads(GATEWAY + "listen: [':80', ':81', 'unix:/run/x.sock']").listen) == 3
