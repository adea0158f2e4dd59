"""The commands about the stored state: state show, state acknowledge, backup."""

import sys
from pathlib import Path

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.options import admin_option, config_option
from statusproxy.cli.output import EXIT_FAILURE, fail
from statusproxy.cli.running_proxy import ask, typed
from statusproxy.cli.settings import read_settings
from statusproxy.config.layers import find_file
from statusproxy.config.load import load
from statusproxy.store import state_file
from statusproxy.systemd import environment, with_state_directory


@click.group()
def state() -> None:
    """Look after the stored state of a running proxy."""


@state.command("show")
@config_option
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def show_state(config: Path | None, admin: str | None, as_json: bool) -> None:
    """Show whether the state can be written, and what damage to it is not acknowledged.

    The exit code is 1 where there is any.
    """
    answer = ask(config, admin, "GET", "/state")
    known = typed(answer, messages.State)
    if as_json:
        click.echo(admin_client.pretty(answer))
    else:
        from statusproxy.admin.table import state_text

        click.echo(state_text(known))
    sys.exit(EXIT_FAILURE if known.damage or known.store != "ok" else 0)


@state.command()
@config_option
@admin_option
def acknowledge(config: Path | None, admin: str | None) -> None:
    """Confirm that you know of the damage to the stored state: `/readyz`, page and doctor stop telling of it."""
    count = typed(ask(config, admin, "POST", "/state/acknowledge"), messages.Acknowledged).acknowledged
    click.echo(f"{count} acknowledged" if count else "nothing to acknowledge: no damage is known")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def backup(file: Path, config: Path | None, force: bool) -> None:
    """Copy the stored state to FILE, also while the proxy runs.

    FILE appears once it is whole and checked. It holds the sessions and their history; its mode is 0600.
    """
    from statusproxy.store import StoreError
    from statusproxy.store.backup import back_up

    known = environment()
    settings = read_settings(lambda: load(config, None, known), instead="")
    source = config or find_file(known)
    try:
        path = state_file(settings.state.url, with_state_directory(known, source))
        done = back_up(path, file, force=force)
    except (ValueError, StoreError) as error:
        fail(f"no backup was made: {error}", EXIT_FAILURE)
    size = f"{done.size / 1024**2:.1f} MiB"
    click.echo(f"{file}: {done.sessions} sessions, {done.changes} changes of the history ({size}), checked")
