"""Programs that stand in the place of the Python interpreter which starts the proxy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

#: Serves `/health` where the configuration says, and ends after so many answers (None: never).
_SERVING = """#!{python}
import http.server, signal, sys, yaml
listen = yaml.safe_load(open(sys.argv[-1]))["listen"]
host, _, port = listen.rpartition(":")
{before}
statuses = {statuses}
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer((host, int(port)), Answer)
answers = {answers}
while answers is None or answers > 0:
    server.handle_request()
    answers = None if answers is None else answers - 1
"""


def program(folder: Path, text: str) -> str:
    """An executable file with this text; its path."""
    path = folder / "python"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def serving(folder: Path, *, answers: int | None = None, statuses: Sequence[int] = (200,), before: str = "") -> str:
    """A program that answers `/health`, and ends by itself after so many `answers`; `before` runs first.

    The answers have these `statuses` in turn, and the last of them from then on.
    """
    text = _SERVING.format(python=sys.executable, answers=answers, statuses=list(statuses), before=before)
    return program(folder, text)
