"""The commands about the past of sessions: history, uptime."""

import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.completing import session_ids
from statusproxy.cli.options import admin_option, config_option, session_id
from statusproxy.cli.running_proxy import ask, typed

#: Seconds to wait for an answer that is made of a long history.
_PATIENCE: Final = 120.0

#: Outages asked for where all are wanted.
_ALL: Final = 100_000


def _since(context: click.Context, parameter: click.Parameter, said: Any) -> Any:
    """The moment that `--since` names, in UTC for the admin listener."""
    from statusproxy.admin.report import moment
    from statusproxy.admin.since import parse_since

    try:
        return None if said is None else moment(max(1.0, parse_since(said, time.time(), None)))
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


_csv_option: Final = click.option("--csv", "as_csv", is_flag=True, help="Print CSV (RFC 4180), times in UTC.")
_json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")


@click.command()
@click.argument("session", callback=session_id, shell_complete=session_ids, required=False)
@config_option
@admin_option
@click.option(
    "--since",
    metavar="TIME",
    callback=_since,
    help="Only what happened since TIME, such as 7d, 12h or 2026-01-31. [default: all]",
)
@click.option("--records", is_flag=True, help="One line per outage: lost, back, how long, why, how it ended.")
@_csv_option
@_json_option
def history(
    session: str | None,
    config: Path | None,
    admin: str | None,
    since: str | None,
    records: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show when sessions were lost and came back, newest first.

    One line per change: lost, reported again, back. With --records (or --csv) one line per outage.
    """
    if records or as_csv:
        answer = ask(config, admin, "GET", f"/outages{_query(since, session, limit=_ALL)}", session, _PATIENCE)
        if as_json:
            click.echo(admin_client.pretty(answer))
            return
        from statusproxy.admin.past_table import outages_csv, outages_table

        told = typed(answer, messages.OutageList)
        click.echo(outages_csv(told) if as_csv else outages_table(told, session), nl=not as_csv)
        if told.more:
            click.echo(f"only the newest {len(told.outages)} outages are shown", err=True)
        return
    path = "/history" if session is None else f"/sessions/{admin_client.quote(session)}/history"
    answer = ask(config, admin, "GET", f"{path}{_query(since)}", session, _PATIENCE)
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.table import history_table

    click.echo(history_table(typed(answer, messages.History), session))


@click.command()
@click.argument("session", callback=session_id, shell_complete=session_ids, required=False)
@config_option
@admin_option
@click.option(
    "--months", type=click.IntRange(1, 120), default=3, show_default=True, help="How many months, including this one."
)
@_csv_option
@_json_option
def uptime(
    session: str | None, config: Path | None, admin: str | None, months: int, as_csv: bool, as_json: bool
) -> None:
    """Show the share of each month in which sessions were connected: each session, and all together.

    Months are in UTC. They go back as far as the history is kept (sessions.history_days). A session counts from its
    first event on.
    """
    answer = ask(config, admin, "GET", f"/uptime{_query(None, session, months=months)}", session, _PATIENCE)
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.past_table import uptime_csv, uptime_table

    told = typed(answer, messages.Uptime)
    click.echo(uptime_csv(told) if as_csv else uptime_table(told), nl=not as_csv)
    if not told.complete:
        click.echo("the proxy has just started and is still reading its history; ask again in a moment", err=True)


def _query(since: str | None, session: str | None = None, **numbers: int) -> str:
    said = {"since": since, "session": session, **numbers}
    query = urlencode({name: value for name, value in said.items() if value is not None}, errors="surrogatepass")
    return f"?{query}" if query else ""
