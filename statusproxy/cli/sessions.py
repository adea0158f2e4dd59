"""The commands about single sessions: sessions, release, forget."""

import getpass
import os
from collections.abc import Iterable
from pathlib import Path

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.completing import session_ids
from statusproxy.cli.options import admin_option, config_option, json_option, session_id
from statusproxy.cli.output import show_json
from statusproxy.cli.running_proxy import ask, typed
from statusproxy.observe.visible import delimited, visible
from statusproxy.status.model import RELEASED


@click.command()
@config_option
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
@click.option("--watch", "watching", is_flag=True, help="Keep showing changes until Ctrl-C.")
def sessions(config: Path | None, admin: str | None, as_json: bool, watching: bool) -> None:
    """Show what the running proxy knows of each session.

    With --watch the table is drawn again each second, and says when it is not live, such as while the proxy restarts.
    A pipe gets one line per session, then one per change; with --json one JSON document per line.
    """
    if watching:
        from statusproxy.cli.watching import watch

        watch(config, admin, as_json=as_json, environ=os.environ)
    answer = ask(config, admin, "GET", "/sessions")
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.table import sessions_table

    click.echo(sessions_table(typed(answer, messages.Sessions)))


by_option = click.option("--by", metavar="NAME", help="Who does this, for the history. [default: the login name]")


def _signed(by: str | None) -> str:
    """The query that says who does something by hand: this login, where nothing else is said."""
    name = by if by is not None else _login()
    return f"?by={admin_client.quote(name)}" if name else ""


def _login() -> str:
    """The name of this login; empty where the system has none for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@click.command()
@click.argument("session", callback=session_id, shell_complete=session_ids)
@config_option
@admin_option
@json_option
@by_option
def release(session: str, config: Path | None, admin: str | None, as_json: bool, by: str | None) -> None:
    """End the correction of SESSION by hand: the list then shows what the gateway says."""
    path = f"/sessions/{admin_client.quote(session)}/release{_signed(by)}"
    answer = ask(config, admin, "POST", path, session)
    told = typed(answer, messages.Released)
    if as_json:
        show_json(answer)
    elif told.released:
        click.echo(f"{visible(delimited(session))}: released{_shown_again(told.changes)}")
    else:
        click.echo(f"{visible(delimited(session))}: nothing to release; no correction is active for it")


@click.command()
@click.argument(
    "sessions", metavar="SESSION...", callback=session_id, shell_complete=session_ids, nargs=-1, required=True
)
@config_option
@admin_option
@json_option
@by_option
def forget(sessions: tuple[str, ...], config: Path | None, admin: str | None, as_json: bool, by: str | None) -> None:
    """Remove all that is known of each SESSION, for example one that was deleted long ago.

    An active correction ends with the reason `operator`. The history keeps what happened. The next event about
    the session makes it known again. With --json, one document for each SESSION.
    """
    for session in sessions:
        path = f"/sessions/{admin_client.quote(session)}/forget{_signed(by)}"
        said = ask(config, admin, "POST", path, session)
        answer = typed(said, messages.Forgotten)
        if as_json:
            show_json(said)
            continue
        also = [visible(delimited(name)) for name in answer.forgotten if name != session]
        click.echo(
            f"{visible(delimited(session))}: forgotten"
            + (f" (known as {', '.join(also)})" if also else "")
            + _shown_again(answer.changes)
        )


def _shown_again(changes: Iterable[messages.ChangeLine]) -> str:
    """What the end of a correction means for the list; nothing where no list has the session."""
    listed = any(change.change == RELEASED and change.gateway_said is not None for change in changes)
    return "; the list shows again what the gateway says" if listed else ""
