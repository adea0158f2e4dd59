"""Checks of `tls` and `gateway_tls`: files that cannot be used or are incomplete are refused, with the fix."""

from pathlib import Path

import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import loads
from tests.config.refusals import GATEWAY, refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tls: {certificate: /nowhere.pem, key: /nowhere.key}",
            "2: tls.certificate: the file cannot be read: No such file or directory; allowed: the path of a PEM file",
        ),
        (
            "gateway_tls: {ca: /nowhere.pem}",
            "2: gateway_tls.ca: the file cannot be read: No such file or directory; allowed: the path of a PEM file",
        ),
        (
            "gateway_tls: {certificate: /a}",
            "2: gateway_tls.certificate: found without gateway_tls.key; allowed: both, or neither",
        ),
        (
            "gateway_tls: {key: /a}",
            "2: gateway_tls.key: found without gateway_tls.certificate; allowed: both, or neither",
        ),
        (
            "gateway_tls: {server_name: a b}",
            "2: gateway_tls.server_name: found a text; allowed: a host's name, such as gw.example, or its address",
        ),
    ],
)
def test_a_mistake_in_tls_is_refused_with_line_key_and_fix(text: str, message: str) -> None:
    assert refused(GATEWAY + text, EMPTY="") == f"config.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "gateway_tls: {verify: true}",
    ],
)
def test_tls_that_can_have_an_effect_are_accepted(text: str) -> None:
    assert loads(GATEWAY + text).gateway == "http://gw.example:3000"


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_certificate_and_key_of_the_gateways_tls_are_both_looked_at(tmp_path: Path, missing: str) -> None:
    files = {"certificate": tmp_path / "c.pem", "key": tmp_path / "c.key"}
    for name, file in files.items():
        if name != missing:
            file.touch()
    written = ", ".join(f"{name}: {file}" for name, file in files.items())
    with pytest.raises(ConfigError, match=rf"gateway_tls\.{missing}: the file cannot be read"):
        loads(f"gateway: https://gw.example\ngateway_tls: {{{written}}}")
