"""The commands of the service: run, check."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from statusproxy.cli.options import config_option, json_option
from statusproxy.cli.output import EXIT_CONFIG, EXIT_FAILURE, fail, show_json
from statusproxy.cli.settings import read_settings
from statusproxy.config.dump import from_yaml
from statusproxy.config.layers import find_file
from statusproxy.config.load import dump, load
from statusproxy.config.packages import missing_for_alerts, missing_for_webhooks
from statusproxy.config.settings import Settings
from statusproxy.observe import logs
from statusproxy.store.extras import missing_package
from statusproxy.systemd import environment


@click.command()
@config_option
@click.option("--listen", multiple=True, metavar="ADDRESS", help="Where to listen: host:port, :port or unix:/path.")
@click.option("--admin-listen", metavar="ADDRESS", help="Where the admin listener listens.")
@click.option("--gateway", metavar="URL", help="Where everything is forwarded.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    help="auto: text on a terminal, `message key=value` in systemd's journal, JSON elsewhere.",
)
def run(
    config: Path | None,
    listen: tuple[str, ...],
    admin_listen: str | None,
    gateway: str | None,
    log_format: str | None,
) -> None:
    """Serve until stopped (SIGTERM or Ctrl-C); SIGHUP reloads the configuration."""
    from statusproxy.server import StartError, prepare_descriptors, serve

    said = {"admin.listen": admin_listen, "log.format": log_format}
    overrides = {key: value for key, value in said.items() if value is not None}

    def read() -> Settings:
        return load(config, overrides, environment(), listen=list(listen) or None, gateway=gateway)

    settings = read_settings(read)
    prepare_descriptors(settings)
    logs.set_up(settings.log.format, settings.log.level)
    logs.take_over()
    given = [*overrides, *(key for key, value in (("listen", listen), ("gateway", gateway)) if value)]
    try:
        _run_loop(serve(settings, read, given))
    except StartError as error:
        logs.flush()
        fail(f"statusproxy cannot start: {error}", EXIT_FAILURE)


@click.command()
@config_option
@click.option("--listen", multiple=True, metavar="ADDRESS", hidden=True)
@click.option("--gateway", metavar="URL", help="Where everything is forwarded, as in `run`.")
@json_option
def check(config: Path | None, listen: tuple[str, ...], gateway: str | None, as_json: bool) -> None:
    """Validate the configuration and print the effective settings, with secrets masked."""
    known = environment()
    settings = read_settings(lambda: load(config, None, known, listen=list(listen) or None, gateway=gateway))
    missing = (
        missing_package(settings.state.url)
        or missing_for_webhooks(settings.webhooks)
        or missing_for_alerts(settings.alerts)
    )
    if missing is not None:
        source = config or find_file(known)
        fail(f"{source}: {missing}" if source else missing, EXIT_CONFIG)
    from statusproxy.config.hints import warnings

    told = [*warnings(settings), *asyncio.run(_unknown_targets(settings))]
    if as_json:
        show_json({"settings": from_yaml(dump(settings)), "warnings": told})
        return
    click.echo(dump(settings), nl=False)
    for warning in told:
        click.echo(f"warning: {warning}", err=True)


async def _unknown_targets(settings: Settings) -> list[str]:
    """A warning for each target of alerts whose URL Apprise cannot use: it would never get a message."""
    if settings.alerts is None or all(target.apprise is None for target in settings.alerts.to):
        return []
    from statusproxy.alerts.channels.apprise import unknown

    places = [(place, one.apprise) for place, one in enumerate(settings.alerts.to) if one.apprise is not None]
    found = await asyncio.gather(*(unknown(url) for _, url in places))
    return [
        f"alerts.to[{place}].apprise: no message will arrive there ({why}); "
        "compare it with the service's form on https://appriseit.com/services/"
        for (place, _), why in zip(places, found, strict=True)
        if why is not None
    ]


def _run_loop(main_task: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed: it takes about a fifth off what a request costs."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None  # asyncio's own
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main_task)
