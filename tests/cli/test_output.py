"""What a command prints: on a terminal of any encoding, and where it fails."""

from __future__ import annotations

import io
import sys
from typing import cast

import pytest

from statusproxy.cli.output import fail, show


class Terminal(io.TextIOWrapper):
    """A standard output of an encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding)

    def shown(self) -> bytes:
        """What was written to it."""
        self.flush()
        return cast("io.BytesIO", self.buffer).getvalue()


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "✓ açaí\n".encode()), ("latin-1", b"? a\xe7a\xed\n"), ("ascii", b"? a?a?\n")]
)
def test_a_sign_that_the_terminal_lacks_is_a_question_mark(
    encoding: str, shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    show("✓ açaí")
    assert terminal.shown() == shown


def test_a_failure_is_one_line_that_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fail("sales\n\x1b[31m: no such session", 3)
    assert ended.value.code == 3
    assert capsys.readouterr() == ("", "sales\\n\\x1b[31m: no such session\n")
