"""The commands about single sessions: sessions, release, forget."""

import getpass
from pathlib import Path

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.options import admin_option, config_option, session_id
from statusproxy.cli.running_proxy import ask, typed
from statusproxy.observe.visible import delimited, visible
from statusproxy.status.model import RELEASED


@click.command()
@config_option
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def sessions(config: Path | None, admin: str | None, as_json: bool) -> None:
    """Show what the running proxy knows of each session."""
    answer = ask(config, admin, "GET", "/sessions")
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.table import sessions_table

    click.echo(sessions_table(typed(answer, messages.Sessions)))


by_option = click.option(
    "--by", metavar="NAME", help="Who does this, for the history. [default: the name of this login]"
)


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
@click.argument("session", callback=session_id)
@config_option
@admin_option
@by_option
def release(session: str, config: Path | None, admin: str | None, by: str | None) -> None:
    """End the correction of SESSION by hand: the gateway's own word shows again."""
    answer = ask(config, admin, "POST", f"/sessions/{admin_client.quote(session)}/release{_signed(by)}", session)
    if typed(answer, messages.Released).released:
        click.echo(f"{visible(delimited(session))}: released; the list shows again what the gateway says")
    else:
        click.echo(f"{visible(delimited(session))}: nothing to release; the list already shows what the gateway says")


@click.command()
@click.argument("sessions", metavar="SESSION...", callback=session_id, nargs=-1, required=True)
@config_option
@admin_option
@by_option
def forget(sessions: tuple[str, ...], config: Path | None, admin: str | None, by: str | None) -> None:
    """Remove all that is known of each SESSION, such as one that was deleted long ago.

    A correction that stands ends, with the reason `operator`. The history keeps what happened. The next event about
    the session makes it known again.
    """
    for session in sessions:
        path = f"/sessions/{admin_client.quote(session)}/forget{_signed(by)}"
        answer = typed(ask(config, admin, "POST", path, session), messages.Forgotten)
        also = [visible(delimited(name)) for name in answer.forgotten if name != session]
        ended = any(change.change == RELEASED for change in answer.changes)
        click.echo(
            f"{visible(delimited(session))}: forgotten"
            + (f" (known as {', '.join(also)})" if also else "")
            + ("; the list shows again what the gateway says" if ended else "")
        )
