# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Checks of `gateway` and its limits: a loop and settings without effect are refused, with the fix."""

from pathlib import Path

import pytest

from statusproxy.config.load import load, loads
from tests.config.refusals import GATEWAY, refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "limits: {upstream_connections: 8, reserved: 8}",
            (
                "2: limits.reserved: found 8, and upstream_connections is 8; allowed: fewer than that, so that other requests "
                "have places too"
            ),
        ),
        (
            "gateway_tls:\n  server_name: gw.example",
            "3: gateway_tls.server_name: found with a gateway that is not https://, so it has no effect; allowed: gateway: https://…, or no gateway_tls.server_name",
        ),
    ],
)
def test_a_mistake_in_gateway_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text, EMPTY="") == f"config.yaml:{message}"


def test_tls_of_the_gateway_may_stay_where_the_command_line_names_another_one(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: https://gw.example\ngateway_tls: {server_name: gw.example}\n")
    assert load(file, gateway="http://gw.example").gateway == "http://gw.example"


def test_a_few_places_may_be_reserved() -> None:
    assert loads(GATEWAY + "limits: {upstream_connections: 8, reserved: 7}").limits.reserved == 7


def test_a_gateway_that_is_this_proxy_is_refused() -> None:
    assert refused("listen: :3000\ngateway: http://127.0.0.1:3000") == (
        'config.yaml:2: gateway: found "http://127.0.0.1:3000"; it is in listen too, so requests would come back to this proxy; '
        "allowed: the gateway's own address"
    )


def test_a_gateway_that_is_the_admin_listener_is_refused() -> None:
    assert refused("gateway: http://127.0.0.1:9090\nadmin: {listen: 127.0.0.1:9090}") == (
        'config.yaml:1: gateway: found "http://127.0.0.1:9090"; it is admin.listen too; '
        "allowed: the gateway's own address, or another admin.listen"
    )
