"""Kills proxy and gateway in random order, prints the closing table, and ends with 1 where anything was wrong.

python -m tests.kills [--kills 40] [--seed N] [--proxy BIN] [--loop uvloop|asyncio]
                      [--store sqlite|redis] [--proxies 2] [--fsync always|everysec]
                      [--disturb flush|cut|full|read-only|stop-redis|stop-proxy [--seconds 20]]
                      [--alerts]
"""

from __future__ import annotations

import secrets
import signal
import sys
from pathlib import Path

import click

from tests.faults.program import Loop, Options
from tests.kills import alerts, disturbed
from tests.kills.alerts import run_alerts
from tests.kills.disturbed import DISTURBANCES, run_disturbed
from tests.kills.result import table
from tests.kills.run import run
from tests.kills.shared import Settings, available, run_shared


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--kills", type=int, default=40, show_default=True, envvar="KILLS", help="How many.")
@click.option("--seed", type=int, help="Repeats a run's choices. [default: by chance]")
@click.option("--proxy", type=click.Path(exists=True, path_type=Path), help="The program under test. [default: ours]")
@click.option("--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True)
@click.option("--store", type=click.Choice(["sqlite", "redis"]), default="sqlite", show_default=True, envvar="STORE",
              help="With redis several proxies share one server, which is killed as well.")  # fmt: skip
@click.option("--proxies", type=click.IntRange(1), default=2, show_default=True, help="How many share Redis.")
@click.option("--fsync", type=click.Choice(["always", "everysec"]), default="always", show_default=True,
              help="Redis' appendfsync.")  # fmt: skip
@click.option("--spool/--no-spool", default=True, show_default=True, help="Whether events are kept, with redis.")
@click.option("--disturb", type=click.Choice(list(DISTURBANCES)), help="Kill nobody: do this to Redis or a proxy.")
@click.option("--alerts", "of_alerts", is_flag=True, help="Kill the proxy at each step of sending an alert.")
@click.option("--seconds", type=float, default=20.0, show_default=True, help="How long each disturbance lasts.")
def main(
    kills: int,
    seed: int | None,
    proxy: Path | None,
    loop: Loop,
    store: str,
    proxies: int,
    fsync: str,
    spool: bool,
    disturb: str | None,
    of_alerts: bool,
    seconds: float,
) -> None:
    """Kill a proxy and its gateway again and again under a load of webhooks, and look for what is lost."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    seed = secrets.randbelow(10**9) if seed is None else seed
    click.echo(f"{kills} times {disturb or 'kill'}, --seed {seed}")
    if of_alerts:
        told = run_alerts(kills, seed)
        click.echo(alerts.table(told))
        sys.exit(1 if told.wrong else 0)
    options, settings = Options.of(proxy, loop), Settings(proxies, fsync, spool)
    if (disturb or store == "redis") and not available():
        raise click.ClickException("no redis-server here: apt-get install redis-server (or tests/install-peers.sh)")
    if disturb:
        calm = run_disturbed(disturb, kills, seconds, seed, options, settings)
        click.echo(disturbed.table(calm))
        sys.exit(1 if calm.wrong else 0)
    tell = click.echo
    result = run(kills, seed, options) if store == "sqlite" else run_shared(kills, seed, options, settings, tell)
    click.echo(table(result))
    sys.exit(1 if result.wrong else 0)


if __name__ == "__main__":
    main()
