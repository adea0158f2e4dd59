"""What is said of text that is not YAML: the fix for common mistakes, and nothing of the text."""

import pytest
import yaml

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import loads
from statusproxy.config.syntax import describe

GATEWAY = "gateway: http://gw.example\n"


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads(GATEWAY + text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("listen: [::]:8090", "[::]:8090"),
        ("listen: [::1]:8090\nlog: {}", "[::1]:8090"),
        ("listen:   [fe80::1]:8090   # all of it", "[fe80::1]:8090"),
        ("listen: [[::]:8090, :8091]", "[::]:8090"),
        ("admin: {listen: [::1]:8091}", "[::1]:8091"),
        ("trusted_proxies: [10.0.0.0/8, ::1]", "::1"),
        ("webhooks: [{path: /a, from: [::/0]}]", "::/0"),
    ],
)
def test_an_ipv6_address_without_quotes_is_told_with_them(text: str, address: str) -> None:
    message = f'config.yaml:2: not YAML: found an IPv6 address without quotes; put quotes around it: "{address}"'
    assert refused(text) == message


@pytest.mark.parametrize("text", ['listen: "[::]:8090"', "trusted_proxies: ::1", 'trusted_proxies: ["::1", fe80::/10]'])
def test_an_ipv6_address_that_can_be_read_is_no_error(text: str) -> None:
    assert loads(GATEWAY + text).gateway == "http://gw.example"


def test_an_address_in_quotes_is_not_the_culprit() -> None:
    assert "IPv6" not in refused('trusted_proxies: ["::1", @x]')


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            "*hidden",
            "found a value that begins with *, which in YAML refers to another value; put quotes around the value",
        ),
        ("*", "found a value that begins with * or &; put quotes around the value"),
        ("!<hidden", "found a value that begins with !, which in YAML is a tag; put quotes around the value"),
        ("!hid!den", "found a value that begins with !, which in YAML is a tag; put quotes around the value"),
        ("%hidden", "found a character that cannot begin a value, such as @ or %; put quotes around the value"),
        ("|hidden", "found a value that begins with | or >; put quotes around the value"),
        ("? hidden", "found a value that begins with ?; put quotes around the value"),
        (
            "- hidden",
            "found a list's - where no list can begin; write it on a line of its own, or put quotes around the value",
        ),
        (
            '"\\hidden"',
            "found a backslash in double quotes that begins no escape sequence; write \\\\, or use single quotes",
        ),
        ("'hid'den'", "this line does not continue the block above it; check indentation, quotes and brackets"),
        ("{hidden", "expected ',' or '}'; close the bracket, and put quotes around values that hold brackets"),
    ],
)
def test_a_secret_that_yaml_takes_for_its_own_is_told_with_the_fix(value: str, told: str) -> None:
    message = refused(f"admin:\n  token: {value}\n")
    assert message.partition(": not YAML: ")[2] == told
    assert "hid" not in message


def test_an_anchor_named_twice_is_told_with_the_fix() -> None:
    message = refused("admin: {token: &hidden x}\nlog: {level: &hidden info}")
    assert message.endswith(
        "found & with the same name twice, which in YAML names a value; put quotes around the value"
    )


def test_a_line_that_yaml_takes_for_a_directive_is_told_with_the_fix() -> None:
    with pytest.raises(ConfigError) as caught:
        loads("%hidden x\n")
    assert str(caught.value) == "config.yaml:2: not YAML: found a line that begins with %; put quotes around the value"


def test_a_message_that_is_not_known_is_not_repeated() -> None:
    error = yaml.MarkedYAMLError("while parsing 'hidden'", None, "found 'hidden'")
    assert describe(error, "hidden") == "it cannot be read; check indentation, quotes and brackets"
