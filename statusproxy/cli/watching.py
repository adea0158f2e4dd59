"""Watches the running proxy's sessions until Ctrl-C, also while the proxy restarts.

Polling, and not the page's stream: any version of the proxy answers it, and what is shown is one consistent answer.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from shutil import get_terminal_size
from typing import Final

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin.messages import Session, Sessions
from statusproxy.admin.watch import ENTER, LEAVE, by_name, changes, drawn, json_line, picture, text_line
from statusproxy.cli.output import EXIT_FAILURE, fail
from statusproxy.cli.running_proxy import listener
from statusproxy.observe.terminal import commands
from statusproxy.observe.visible import visible

__all__ = ["EVERY", "draw", "print_changes", "watch"]

#: Seconds between two questions.
EVERY: Final = 1.0

#: Seconds to wait for an answer: a proxy that is busy for longer is shown as not live.
_PATIENCE: Final = 5.0

#: Gives the newest answer. Raises `AdminError` if there is none.
Ask = Callable[[], Sessions]


def watch(config: Path | None, admin: str | None, *, as_json: bool, environ: Mapping[str, str]) -> None:
    """Show the sessions until the user ends it: exit code 130 after Ctrl-C, 143 after SIGTERM, as shells have it.

    A token that the proxy refuses ends it too: another second changes nothing.
    """
    where, token = listener(config, admin)

    def ask() -> Sessions:
        return admin_client.typed(admin_client.ask(where, "GET", "/sessions", token, _PATIENCE), Sessions)

    with _ended_by_signals():
        try:
            if not as_json and commands(sys.stdout, environ):
                draw(ask)
            else:
                print_changes(ask, as_json=as_json)
        except admin_client.AdminError as error:
            fail(str(error), EXIT_FAILURE)


def draw(ask: Ask, pause: Callable[[float], None] = time.sleep) -> None:
    """Redraw the table in place until `pause` raises; then the last one is left on the screen."""
    newest, at = None, _clock()
    lines: list[str] = []
    click.echo(ENTER, nl=False, color=True)
    try:
        while True:
            answer, lost = _answer(ask)
            if answer is not None:
                newest, at = answer, _clock()
            size = get_terminal_size()
            lines = picture(newest, lost, at, size.lines)
            click.echo(drawn(lines, size.columns), nl=False, color=True)
            pause(EVERY)
    finally:
        click.echo(LEAVE + "\n".join(lines), color=True)


def print_changes(ask: Ask, pause: Callable[[float], None] = time.sleep, *, as_json: bool = False) -> None:
    """Print a line for each session, then one for each change, until `pause` raises.

    On standard error it says where that is not live, and where it is again.
    """
    before: dict[str, Session] = {}
    live = True
    while True:
        answer, lost = _answer(ask)
        if answer is not None:
            now = by_name(answer, before)
            for name, session in changes(before, now):
                click.echo(json_line(answer.now, name, session) if as_json else text_line(_moment(), name, session))
            before = now
        if live != (lost is None):
            live = lost is None
            click.echo("live again" if lost is None else f"not live: {visible(lost)}", err=True)
        pause(EVERY)


def _answer(ask: Ask) -> tuple[Sessions | None, str | None]:
    """The newest answer, or why there is none. Raises `AdminError` where the token is refused."""
    try:
        return ask(), None
    except admin_client.AdminError as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise
        return None, str(error)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End with the exit code of a shell's command that a signal ended, the terminal being as it was."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _moment() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
