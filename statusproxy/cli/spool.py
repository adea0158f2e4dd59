"""The commands about events that the gateway did not take: `spool list`, `show`, `replay` and `drop`."""

import sys
from pathlib import Path
from urllib.parse import urlencode

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import spool_messages
from statusproxy.cli.completing import session_ids
from statusproxy.cli.options import admin_option, config_option, json_option, session_id
from statusproxy.cli.output import EXIT_FAILURE, fail, show_json
from statusproxy.cli.running_proxy import ask, listener, typed
from statusproxy.observe.visible import visible


@click.group()
def spool() -> None:
    """Look after events that the gateway did not take and that the running proxy keeps."""


#: Seconds that replaying or dropping many may take: each part of them is written to disk.
_CHANGING = 600.0

_state_option = click.option(
    "--state", type=click.Choice(["waiting", "unknown", "dead"]), help="Only events in this state."
)
_of_session_option = click.option(
    "--session", callback=session_id, shell_complete=session_ids, metavar="ID", help="Only events of this session."
)
_ids_argument = click.argument("ids", metavar="[ID]...", callback=session_id, nargs=-1)


@spool.command("list")
@config_option
@admin_option
@_state_option
@_of_session_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Show at most this many.")
@click.option("--newest", is_flag=True, help="Show the newest first. [default: the oldest]")
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def list_spool(
    config: Path | None,
    admin: str | None,
    state: str | None,
    session: str | None,
    limit: int,
    newest: bool,
    as_json: bool,
) -> None:
    """List the kept events, without their content."""
    query = _query(limit=str(limit), order="newest" if newest else None, state=state, session=session)
    answer = ask(config, admin, "GET", f"/spool{query}")
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.spool_table import spool_table

    click.echo(spool_table(typed(answer, spool_messages.SpoolList), chosen=state is not None or session is not None))


@spool.command("show")
@click.argument("id_", metavar="ID", callback=session_id)
@config_option
@admin_option
@click.option("--body", "with_body", is_flag=True, help="Print only the body, unchanged.")
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def show_spooled(id_: str, config: Path | None, admin: str | None, with_body: bool, as_json: bool) -> None:
    """Show one kept event: what happened to it, and its fields."""
    path = f"/spool/{admin_client.quote(id_)}"
    if with_body:
        where, token = listener(config, admin)
        out = sys.stdout.buffer
        on_terminal = sys.stdout.isatty()
        try:
            for piece in admin_client.download(where, f"{path}?body=1", token):
                # What could steer a terminal reaches none; a file or a pipe gets each byte.
                out.write(visible(piece.decode("utf-8", "replace")).encode() if on_terminal else piece)
        except admin_client.AdminError as error:
            fail(str(error), EXIT_FAILURE)
        out.write(b"\n" if on_terminal else b"")
        out.flush()
        return
    answer = ask(config, admin, "GET", path)
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.spool_table import shown_text

    click.echo(shown_text(typed(answer, spool_messages.SpoolShown)))


@spool.command()
@_ids_argument
@config_option
@admin_option
@_state_option
@_of_session_option
@json_option
def replay(
    ids: tuple[str, ...], config: Path | None, admin: str | None, state: str | None, session: str | None, as_json: bool
) -> None:
    """Deliver kept events now, by id, state or session.

    An event in state `unknown` may have arrived before: its receiver then gets it twice. With --json,
    one document for each ID.
    """
    _check_choice(ids, state, session)
    _changed(
        config, admin, "POST", "/replay", ids, _query(state=state, session=session), "to be delivered now", as_json
    )


@spool.command()
@_ids_argument
@config_option
@admin_option
@_state_option
@_of_session_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def drop(
    ids: tuple[str, ...],
    config: Path | None,
    admin: str | None,
    state: str | None,
    session: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Drop kept events permanently, by id, state or session.

    With --json, one document for each ID.
    """
    _check_choice(ids, state, session)
    if not yes and sys.stdin.isatty():
        which = " ".join(map(visible, ids)) or " and ".join(
            text for text, said in ((f"state {state}", state), (f"session {visible(session or '')}", session)) if said
        )
        click.confirm(f"Drop permanently: {which}. They will never be delivered. Continue?", abort=True, err=True)
    _changed(config, admin, "DELETE", "", ids, _query(state=state, session=session), "dropped", as_json)


def _check_choice(ids: tuple[str, ...], state: str | None, session: str | None) -> None:
    chosen = state is not None or session is not None
    if chosen == bool(ids):
        raise click.UsageError(
            "give either ids, or --state or --session" if chosen else "name the events: by ids, --state or --session"
        )


def _changed(
    config: Path | None,
    admin: str | None,
    method: str,
    what: str,
    ids: tuple[str, ...],
    query: str,
    done: str,
    as_json: bool,
) -> None:
    """Have events replayed or dropped, and tell how many there were."""
    if ids:
        for id_ in ids:
            said = ask(config, admin, method, f"/spool/{admin_client.quote(id_)}{what}")
            if as_json:
                show_json({"id": id_, **said})
            else:
                click.echo(f"{visible(id_)}: {done}")
        return
    said = ask(config, admin, method, f"/spool{what}{query}", patience=_CHANGING)
    answer = typed(said, spool_messages.SpoolChanged)
    if as_json:
        show_json(said)
        return
    click.echo(f"{answer.changed} {'event' if answer.changed == 1 else 'events'}: {done}" if answer.changed else "none")


def _query(**said: str | None) -> str:
    """A path's query of the parameters that were given."""
    given = {name: value for name, value in said.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
