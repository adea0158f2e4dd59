"""The commands about the stored state: state show, state acknowledge, backup, restore."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from statusproxy.admin import client as admin_client
from statusproxy.admin import messages
from statusproxy.cli.options import admin_option, config_option, json_option
from statusproxy.cli.output import EXIT_FAILURE, fail, show_json
from statusproxy.cli.running_proxy import ask, typed
from statusproxy.cli.settings import read_settings
from statusproxy.config.layers import find_file
from statusproxy.config.load import load
from statusproxy.observe.counted import counted
from statusproxy.store import state_place
from statusproxy.store.files import resolve
from statusproxy.systemd import environment, with_state_directory

if TYPE_CHECKING:
    from statusproxy.config.state_url import Place
    from statusproxy.store.snapshot import Holdings


@click.group()
def state() -> None:
    """Look after the stored state of a running proxy."""


@state.command("show")
@config_option
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def show_state(config: Path | None, admin: str | None, as_json: bool) -> None:
    """Show whether the state can be written, and any damage that is not acknowledged.

    The exit code is 1 if there is any.
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
@json_option
def acknowledge(config: Path | None, admin: str | None, as_json: bool) -> None:
    """Confirm that you know about the damage to the stored state: `/readyz`, page and doctor stop reporting it."""
    answer = ask(config, admin, "POST", "/state/acknowledge")
    count = typed(answer, messages.Acknowledged).acknowledged
    if as_json:
        show_json(answer)
        return
    click.echo(f"{count} acknowledged" if count else "nothing to acknowledge: no damage is known")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@json_option
def backup(file: Path, config: Path | None, force: bool, as_json: bool) -> None:
    """Copy the stored state to FILE, even while the proxy runs.

    FILE appears only when it is complete and checked. It holds the sessions, their history and the events of the
    spool. Large bodies of events are in the directory FILE.spool. The mode of all files is 0600.
    """
    from statusproxy.store import StoreError
    from statusproxy.store.backup import back_up

    try:
        place, _ = _state(config)
        if isinstance(place, Path):
            done = back_up(place, file, force=force)
        else:
            from statusproxy.store.redis_backup import back_up_redis

            done = back_up_redis(place, file, force=force)
    except (ValueError, StoreError) as error:
        fail(f"no backup was made: {error}", EXIT_FAILURE)
    if as_json:
        show_json({"file": str(file), **_counts(done)})
        return
    click.echo(f"{file}: {_told(done)}, checked")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@click.option("--force", is_flag=True, help="Replace an existing state; the old one is kept beside the new one.")
@click.option("--no-spool", is_flag=True, help="Leave out the events that waited when the backup was made.")
@json_option
def restore(file: Path, config: Path | None, force: bool, no_spool: bool, as_json: bool) -> None:
    """Replace the stored state with a backup. The proxy must be stopped.

    The backup is checked first. Events that were waiting when it was made are delivered after the start, even if they
    were delivered since then.
    """
    from statusproxy.store import StoreError
    from statusproxy.store.restore import restore as put_back

    kept: Path | str | None
    try:
        place, journal = _state(config)
        if isinstance(place, Path):
            holdings, kept = put_back(file, place, force=force, spool=not no_spool)
        else:
            from statusproxy.store.redis_backup import restore_redis

            holdings, kept = restore_redis(file, place, force=force, spool=not no_spool, journal=journal)
    except (ValueError, StoreError) as error:
        fail(f"nothing was restored: {error}", EXIT_FAILURE)
    if as_json:
        show_json({"state": str(place), **_counts(holdings), "kept": None if kept is None else str(kept)})
        return
    click.echo(f"{place}: {_told(holdings)}, restored")
    if kept is not None:
        click.echo(f"the state before is kept as {kept}")


def _state(config: Path | None) -> "tuple[Path | Place, Path | None]":
    """Where the state is, and the directory of the journal. Raises `ValueError` where nothing lasts."""
    known = environment()
    settings = read_settings(lambda: load(config, None, known), instead="").state
    environ = with_state_directory(known, config or find_file(known))
    journal = None if settings.journal is None else resolve(settings.journal, environ)
    return state_place(settings.url, environ), journal


def _counts(holdings: "Holdings") -> dict[str, int]:
    """What a copy holds, for JSON."""
    return {
        "sessions": holdings.sessions, "changes": holdings.changes, "spooled": holdings.spooled, "bytes": holdings.size,
    }  # fmt: skip


def _told(holdings: "Holdings") -> str:
    spooled = f", {counted(holdings.spooled, 'event')} of the spool" if holdings.spooled else ""
    size = f"{holdings.size / 1024**2:.1f} MiB"
    sessions, changes = counted(holdings.sessions, "session"), counted(holdings.changes, "change")
    return f"{sessions}, {changes} of the history{spooled} ({size})"
