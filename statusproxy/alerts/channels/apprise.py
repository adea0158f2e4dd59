"""Messages through Apprise: Telegram, e-mail, ntfy, Slack and some hundred others (https://appriseit.com).

Apprise and what it imports take some 30 MiB, and its plugins block. So each attempt has a process of its own
(`apprise_child`), which ends with it. The URL, which holds the service's secrets, goes to its standard input: arguments
and environment of a process can be read by others. The child's environment has only what networking needs.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from statusproxy.alerts.channels.letter import SENT, Letter, Outcome

__all__ = ["DEADLINE", "AppriseChannel", "child_environment", "unknown"]

#: Seconds for one attempt, the start of the process included.
DEADLINE: Final = 30.0

#: Seconds that a killed process may take to end.
_REAPING: Final = 5.0

#: Bytes of the child's answer, which is one short line.
_ANSWER: Final = 4096

#: Characters of the child's words that are told.
_WORDS: Final = 200

_CHILD: Final = Path(__file__).with_name("apprise_child.py")

#: What the child needs of the environment: how names, files and certificates are found, and ways out of the network.
_PASSED_ON: Final = frozenset({
    "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
})  # fmt: skip

#: The child says so where the package is not installed.
_MISSING: Final = (
    "the package apprise is not installed; install the extra `alerts` (systemd/install.sh does that for the installed "
    "service: run it again)"
)

_URL: Final = re.compile(r"\w[\w+.-]*://\S*")


class AppriseChannel:
    """One Apprise URL. Implements `Channel`."""

    def __init__(self, url: str, deadline: float = DEADLINE) -> None:
        """`deadline` in seconds, after which the process of an attempt is killed."""
        self._url = url
        self._deadline = deadline

    async def send(self, letter: Letter) -> Outcome:
        """As `Channel.send`: within the deadline."""
        kind = "success" if letter.good_news else "warning"
        return await _carried_out(
            {"url": self._url, "title": letter.title, "body": letter.text, "type": kind}, self._deadline
        )


async def unknown(url: str, deadline: float = DEADLINE) -> str | None:
    """Why Apprise cannot use this URL, without sending anything; None where it can. `deadline` in seconds."""
    return (await _carried_out({"url": url}, deadline)).error


async def _carried_out(order: Mapping[str, str], deadline: float) -> Outcome:
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P keeps the script's folder off sys.path: this file would be imported instead of the package.
            *("-P", "-B", str(_CHILD), str(int(deadline) + 1)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a plugin's words may hold the URL
            env=child_environment(os.environ),
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(f"the Apprise process could not be started: {error.strerror or 'failed'}")
    try:
        async with asyncio.timeout(deadline):
            return _outcome(await _answer(child, json.dumps(order).encode()))
    except TimeoutError:
        return Outcome(f"Apprise did not finish within {deadline:g} s")
    finally:
        await _end(child)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child gets of our environment, which may hold secrets for `config.yaml`."""
    return {name: value for name, value in environ.items() if name.upper() in _PASSED_ON or name.startswith("LC_")}


async def _answer(child: asyncio.subprocess.Process, order: bytes) -> bytes:
    """Hand the order over, and give what the child answers, up to a bound."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(ConnectionError, RuntimeError):  # it ended (the latter: uvloop's): what it answered tells
        child.stdin.write(order)
        await child.stdin.drain()
    child.stdin.close()
    answer = b""
    while len(answer) < _ANSWER and (piece := await child.stdout.read(_ANSWER)):
        answer += piece
    return answer


async def _end(child: asyncio.subprocess.Process) -> None:
    """Kill the child, and whatever it started, if it still runs; see it off in any case."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REAPING):
            await child.wait()


def _outcome(answer: bytes) -> Outcome:
    try:
        said: Any = json.loads(answer)
        result, words = said["result"], str(said.get("words", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Outcome("the Apprise process ended too early")
    if result in {"sent", "known"}:
        return SENT
    if result == "missing":
        return Outcome(_MISSING)
    words = _URL.sub("…", " ".join(words.split()))[:_WORDS]
    return Outcome(f"Apprise: {words}" if words else "Apprise could not send it")
