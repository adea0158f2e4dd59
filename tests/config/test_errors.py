"""How an error words what was found and what was probably meant."""

import pytest

from statusproxy.config.errors import did_you_mean, nearest, quote, suggest


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("soon", '"soon"'),
        ("a\nb", '"a\\nb"'),
        ("é", '"é"'),
        ('"', '"\\""'),
        ("x" * 100, '"' + "x" * 59 + '…"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_a_quoted_text_is_one_short_line_that_can_be_printed(text: str, shown: str) -> None:
    assert quote(text) == shown


def test_the_nearest_word_is_found_whatever_the_case() -> None:
    assert nearest("forwad_to", ["forward", "forward_to", "path"]) == "forward_to"
    assert nearest("PT-br", ["en", "pt-BR"]) == "pt-BR"
    assert nearest("zzz", ["en", "pt-BR"]) is None


def test_a_tail_is_offered_only_when_something_is_near() -> None:
    assert did_you_mean("trsut", ["ignore", "trust"]) == '; did you mean "trust"?'
    assert did_you_mean("x", ["ignore", "trust"]) == ""


@pytest.mark.parametrize("meant", [None, "", "http://u:hunter2@h", "/a?token=hunter2", "/a#b"])
def test_nothing_is_suggested_that_may_hold_a_secret(meant: str | None) -> None:
    assert suggest(meant) == ""
    assert suggest("/a") == '; did you mean "/a"?'
