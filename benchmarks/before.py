"""This checkout beside another one, in turns of one run: `make bench-before BEFORE=../other-checkout`.

Answers a second and processor time for each answer, as ratios of ours to the other's within a turn. The other checkout
needs a virtual environment of its own (`make .venv/.ready` there). Processor time is the steadier of the two figures.
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

from benchmarks import fleet, load, rates
from benchmarks.load import Sample
from benchmarks.results import Median

_BEFORE = {rates.OURS: "before", rates.APART: "before, not sharing"}


def main() -> None:
    """Measure every point of `rates` that this machine can, and print a Markdown table."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="statusproxy-bench-") as name, contextlib.ExitStack() as stack:
        running = stack.enter_context(fleet.running(Path(name), peers=False))
        for ours, before in _BEFORE.items():
            fleet.start_statusproxy(
                running, stack, before, share=ours == rates.OURS, checkout=arguments.checkout.resolve()
            )
        told = rates.scripts(running.folder)
        print("| work | rate, × before | CPU for each answer, × before | CPU, now | CPU, before |")
        print("| --- | --- | --- | --- | --- |")
        for point in rates.points():
            if arguments.only and not any(word in point.what for word in arguments.only):
                continue
            if point.needs_lua and not running.differs:
                continue
            for ours in _BEFORE:
                if ours in point.proxies:
                    print(_row(running, point, told, ours, arguments.turns), flush=True)


def _row(running: fleet.Fleet, point: rates.Point, told: dict[str, Path], ours: str, turns: int) -> str:
    script = told[point.script] if point.script else None
    samples: dict[str, list[Sample]] = {}
    for turn in range(turns + 1):
        for proxy in running.has(ours, _BEFORE[ours]):
            sample = load.run(
                proxy.process, proxy.port, point.target, seconds=1, connections=point.connections, script=script
            )
            if turn:  # the first warms up
                samples.setdefault(proxy.name, []).append(sample)
    now, before = samples[ours], samples[_BEFORE[ours]]
    rate = Median.of([one.rate / other.rate for one, other in zip(now, before, strict=True)])
    cpu = Median.of([one.cpu / other.cpu for one, other in zip(now, before, strict=True)])
    what = point.what if ours == rates.OURS else f"{point.what}, `share: false`"
    took = [Median.of([run.cpu for run in runs]).text("µs") for runs in (now, before)]
    return f"| {what} | {rate.text('', 2)} | {cpu.text('', 2)} | {took[0]} | {took[1]} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", type=Path, help="the other checkout, with its .venv")
    parser.add_argument("--turns", type=int, default=7, help="turns of a second for each proxy")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only the work whose name has one of these words")
    return parser.parse_args()


if __name__ == "__main__":
    main()
