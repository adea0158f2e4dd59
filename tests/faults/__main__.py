"""Repeats faults against a proxy, and tells how an ordinary client fared.

python -m tests.faults [NAME ...] [--proxy BIN] [--loop uvloop|asyncio] [--quick] [--json]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from tests.faults import tables
from tests.faults.catalogue import FAULTS, named
from tests.faults.fault import Outcome
from tests.faults.gateway import Gateway
from tests.faults.program import Loop, Options
from tests.faults.stage import play
from tests.faults.worker import ROOT

#: Exit codes: a fault was found; nothing was run.
_FOUND, _USAGE = 1, 2

#: The page that shows the tables.
_PAGE: Final = ROOT / "docs" / "reliability.md"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="Name the faults, and run none.")
@click.option("--proxy", type=click.Path(exists=True, path_type=Path), help="The program under test. [default: ours]")
@click.option("--loop", type=click.Choice(["uvloop", "asyncio"]), default="uvloop", show_default=True)
@click.option("--quick", is_flag=True, help="Smaller counts and shorter times; leaves out what cannot be short.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--table", nargs=2, type=click.Path(exists=True, path_type=Path), metavar="BEFORE AFTER",
    help="Run nothing: compare two results that --json printed, as a Markdown table.",
)  # fmt: skip
@click.option("--faults", "fault_table", is_flag=True, help="Run nothing: print the faults as a Markdown table.")
@click.option("--write", is_flag=True, help="Put such a table into docs/reliability.md in place of printing it.")
def main(
    names: tuple[str, ...],
    listing: bool,
    proxy: Path | None,
    loop: Loop,
    quick: bool,
    as_json: bool,
    table: tuple[Path, Path] | None,
    fault_table: bool,
    write: bool,
) -> None:
    """Run the faults of these NAMEs or items (`A1`), or all of them. The exit code is 1 where one is found."""
    if listing:
        click.echo(tables.listing(FAULTS))
        return
    if fault_table or table:
        if fault_table:
            _give("faults", tables.faults(FAULTS), write=write)
        if table:
            _give("figures", tables.comparison(FAULTS, *(_results(file) for file in table)), write=write)
        return
    try:
        chosen = [fault for name in names for fault in named(name)] or list(FAULTS)
    except LookupError as error:
        click.echo(error.args[0], err=True)
        sys.exit(_USAGE)
    options = Options.of(proxy, loop)
    outcomes = []
    with Gateway() as gateway:
        for fault in chosen:
            if quick and not fault.quick:
                continue
            outcome = play(fault, gateway, options, quick=quick)
            outcomes.append(outcome)
            click.echo(tables.told(outcome), err=as_json)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(outcomes)).decode())
    else:
        click.echo(tables.summary(outcomes))
    sys.exit(0 if all(outcome.ok for outcome in outcomes) else _FOUND)


def _give(mark: str, table: str, *, write: bool) -> None:
    if write:
        _PAGE.write_text(tables.replaced(_PAGE.read_text(), mark, table))
    else:
        click.echo(table)


def _results(file: Path) -> list[Outcome]:
    return msgspec.json.decode(file.read_bytes(), type=list[Outcome])


if __name__ == "__main__":
    main()
