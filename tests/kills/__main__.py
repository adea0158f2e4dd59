"""Kills proxy and gateway in random order, prints the closing table, and ends with 1 where anything was wrong.

python -m tests.kills [--kills 40] [--seed N] [--proxy BIN] [--loop uvloop|asyncio]
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from tests.faults.program import Loop, Options
from tests.kills.run import run, table


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--kills", type=int, default=40, show_default=True, envvar="KILLS", help="How many.")
@click.option("--seed", type=int, help="Repeats a run's choices. [default: by chance]")
@click.option("--proxy", type=click.Path(exists=True, path_type=Path), help="The program under test. [default: ours]")
@click.option("--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True)
def main(kills: int, seed: int | None, proxy: Path | None, loop: Loop) -> None:
    """Kill a proxy and its gateway again and again under a load of webhooks, and look for what is lost."""
    seed = secrets.randbelow(10**9) if seed is None else seed
    click.echo(f"{kills} kills, --seed {seed}")
    result = run(kills, seed, Options.of(proxy, loop))
    click.echo(table(result))
    sys.exit(1 if result.wrong else 0)


if __name__ == "__main__":
    main()
