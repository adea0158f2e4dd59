"""Soaks a proxy, prints the closing table, and ends with 1 where anything was wrong.

python -m tests.soak [--seconds 600] [--seed N] [--proxy BIN] [--loop uvloop|asyncio]
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from tests.faults.program import Loop, Options
from tests.soak.run import WALKERS, soak, table


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--seconds", type=float, default=600, show_default=True, envvar="SOAK_SECONDS", help="How long.")
@click.option("--seed", type=int, help="Repeats a run's choices. [default: by chance]")
@click.option("--walkers", type=int, default=WALKERS, show_default=True, help="Clients at the same time.")
@click.option("--proxy", type=click.Path(exists=True, path_type=Path), help="The program under test. [default: ours]")
@click.option("--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True)
def main(seconds: float, seed: int | None, walkers: int, proxy: Path | None, loop: Loop) -> None:
    """Let mixed traffic through a proxy for some minutes, and check every byte of it."""
    seed = secrets.randbelow(10**9) if seed is None else seed
    click.echo(f"soaking for {seconds:.0f} s with {walkers} walkers, --seed {seed}")
    result = soak(seconds, seed, Options.of(proxy, loop), walkers)
    click.echo(table(result))
    sys.exit(1 if result.failures else 0)


if __name__ == "__main__":
    main()
