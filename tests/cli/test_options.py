"""Options that several commands have."""

from __future__ import annotations

import click
import pytest

from statusproxy.cli.commands import main
from statusproxy.cli.options import session_id
from statusproxy.config.layers import SEARCHED
from tests.cli.calling import call


def test_ids_are_taken_as_they_are_given() -> None:
    context, parameter = click.Context(main), click.Argument(["session"])
    for said in ("Sales Team ", None, ("sales", " support"), ()):
        assert session_id(context, parameter, said) == said


@pytest.mark.parametrize("command", ["history", "release", "forget"])
def test_an_empty_text_is_no_sessions_id(command: str) -> None:
    done = call(command, "")
    assert done.exit_code == 2
    assert "a session's id cannot be empty" in done.stderr


def test_help_names_each_place_where_a_configuration_is_looked_for() -> None:
    said = " ".join(call("run", "--help").stdout.split())
    for place in ("STATUSPROXY_CONFIG", *map(str, SEARCHED)):
        assert place in said
