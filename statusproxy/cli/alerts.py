"""The commands about alerts: `alerts list` and `alerts test`."""

import sys
from pathlib import Path

import click

from statusproxy.admin import alert_messages as messages
from statusproxy.admin import client as admin_client
from statusproxy.cli.options import admin_option, config_option
from statusproxy.cli.output import EXIT_FAILURE
from statusproxy.cli.running_proxy import ask, typed
from statusproxy.observe.visible import visible

#: Seconds that test messages may take: each attempt has its own deadline, and two are made at a time.
_TESTING = 600.0


@click.group()
def alerts() -> None:
    """Look after the messages that tell operators of lost sessions."""


@alerts.command("list")
@config_option
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def list_alerts(config: Path | None, admin: str | None, as_json: bool) -> None:
    """List targets, reported outages and the last messages."""
    answer = ask(config, admin, "GET", "/alerts")
    if as_json:
        click.echo(admin_client.pretty(answer))
        return
    from statusproxy.admin.alerts_table import alerts_table

    click.echo(alerts_table(typed(answer, messages.AlertsReport)))


@alerts.command("test")
@config_option
@admin_option
@click.option(
    "--to", "number", type=click.IntRange(1, 9999), metavar="N", help="Test only the target with this number."
)
@click.option("--json", "as_json", is_flag=True, help="Print the admin listener's own JSON.")
def send_test(config: Path | None, admin: str | None, number: int | None, as_json: bool) -> None:
    """Send a test message to each target through the running proxy, and say whether it arrived.

    The exit code is 1 if a message did not arrive.
    """
    query = "" if number is None else f"?to={number}"
    answer = ask(config, admin, "POST", f"/alerts/test{query}", patience=_TESTING)
    tested = typed(answer, messages.AlertsTested)
    if as_json:
        click.echo(admin_client.pretty(answer))
    else:
        for one in tested.results:
            click.echo(visible(f"{one.number}  {one.target}: {'sent' if one.error is None else one.error}"))
        if not tested.results:
            click.echo("no target is configured (alerts.to)")
    if any(one.error is not None for one in tested.results):
        sys.exit(EXIT_FAILURE)
