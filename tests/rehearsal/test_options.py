"""The options' values, and what is said of those that are none."""

import click
import pytest

from statusproxy.rehearsal import options

CONTEXT = click.Context(click.Command("try"))
OPTION = click.Option(["--option"])


def test_a_header_is_a_name_and_a_value() -> None:
    assert options.headers(CONTEXT, OPTION, ("X-Secret: a:b ", "B:")) == [("X-Secret", "a:b"), ("B", "")]


@pytest.mark.parametrize("said", ["example-secret", "example secret: x", ": x"])
def test_what_is_no_header_is_not_repeated(said: str) -> None:
    with pytest.raises(click.BadParameter, match="write NAME:VALUE") as raised:
        options.headers(CONTEXT, OPTION, (said,))
    assert "example" not in str(raised.value)


def test_a_time_is_read_and_now_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 7.0)
    assert options.moment(CONTEXT, OPTION, "2026-01-15T19:07:10Z") == 1_768_504_030.0
    assert options.moment(CONTEXT, OPTION, None) == 7.0
    with pytest.raises(click.BadParameter, match="write ISO 8601 with a zone"):
        options.moment(CONTEXT, OPTION, "2026-01-15 19:07")


def test_a_duration_has_its_unit() -> None:
    assert options.duration(CONTEXT, OPTION, "2m") == 120.0
    with pytest.raises(click.BadParameter, match="a duration such as"):
        options.duration(CONTEXT, OPTION, "soon")
