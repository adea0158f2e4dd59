"""The process that sends one message through Apprise: an order as JSON in, one line of JSON out. Run as a script.

It imports nothing of statusproxy. What Apprise or a plugin prints goes nowhere, and of what they log only the last
warning is told, without any part of the URL.
"""

import json
import logging
import os
import re
import signal
import sys
from typing import Any, Final
from urllib.parse import unquote

__all__ = ["hide", "main", "send"]

#: Characters from which on a part of a URL may be a secret: shorter ones are words such as `to`.
_SHORTEST: Final = 4

#: Between the parts of a URL.
_BETWEEN: Final = re.compile(r"[/:@?&=#,]+")


class LastWords(logging.Handler):
    """Keeps the last warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words = ""

    def emit(self, record: logging.LogRecord) -> None:
        """As `logging.Handler.emit`."""
        self.words = record.getMessage()


def hide(words: str, url: str) -> str:
    """The words without any part of the URL but its scheme."""
    _, _, rest = url.partition("://")
    written = {rest, *_BETWEEN.split(rest)}
    parts = written | {unquote(part) for part in written}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST:
            words = words.replace(part, "…")
    return words


def send(order: dict[str, Any]) -> dict[str, str]:
    """Send one message, and give the result. An order without a body asks only whether Apprise knows the URL."""
    try:
        import apprise
    except ModuleNotFoundError:
        return {"result": "missing"}
    last = LastWords()
    logger = logging.getLogger("apprise")
    logger.handlers[:] = [last]
    logger.propagate = False
    asset = apprise.AppriseAsset(
        app_id="statusproxy",
        app_desc="statusproxy",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        secure_logging=True,
        plugin_paths=[],
    )
    service = apprise.Apprise(asset=asset)
    if not service.add(order["url"]):
        return {"result": "failed", "words": "Apprise does not know this kind of URL"}
    if "body" not in order:
        return {"result": "known"}
    if service.notify(body=order["body"], title=order["title"], notify_type=order["type"], body_format="text"):
        return {"result": "sent"}
    return {"result": "failed", "words": hide(last.words, order["url"])}


def main() -> None:
    """Read the order, send, answer. The first argument: seconds after which this process ends at the latest."""
    signal.alarm(int(sys.argv[1]))  # also where the one that waits for it was killed
    order: dict[str, Any] = json.load(sys.stdin)
    answers = os.dup(sys.stdout.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    try:
        answer = send(order)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything, with the URL in its text
        answer = {"result": "failed", "words": f"an internal error ({type(error).__name__})"}
    os.write(answers, json.dumps(answer).encode() + b"\n")
    # No thread that a plugin left behind holds this process up.
    os._exit(0)


if __name__ == "__main__":
    main()
