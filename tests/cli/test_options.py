"""Options that several commands have."""

from __future__ import annotations

import pytest

from tests.cli.calling import call


@pytest.mark.parametrize("command", ["history", "release", "forget"])
def test_an_empty_text_is_no_sessions_id(command: str) -> None:
    done = call(command, "")
    assert done.exit_code == 2
    assert "an empty text is no session's id" in done.stderr
