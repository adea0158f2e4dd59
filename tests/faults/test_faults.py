"""Every fault in its quick variant: an ordinary client must not notice it.

What others wait is measured beside other faults first, strictly. What is too long there is measured by itself: then it
may be the machine's doing.

The full variants, with those that only have a long one, are `make faults`. FAULTS_PROXY names another program to test.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults import descriptors, held_places, large_work, tables
from tests.faults.catalogue import FAULTS
from tests.faults.fault import LONGEST_WAIT, Check, Fault, Outcome
from tests.faults.gateway import Gateway
from tests.faults.program import Options
from tests.faults.stage import play
from tests.faults.turns import Turns

PROXY: Final = os.environ.get("FAULTS_PROXY")

#: Faults that measure what others wait: `make alone` runs them when nothing else runs. Those that compute run as many
#: at once as there are processors; beside them, one after the other, those that hold places and compute little.
HOLDING: Final = {module.__name__ for module in (held_places, descriptors)}
MEASURING: Final = {large_work.__name__, *HOLDING}

#: The longest are begun first and the shortest last, so that no processor is idle at the end.
_BEGUN: Final = {
    **dict.fromkeys(("large-channel", "upload-chunks", "endless-trailers"), -1),
    **dict.fromkeys(("create-bomb", "falling-sessions", "bounded-heads"), 1),
}

QUICK: Final = sorted((fault for fault in FAULTS if fault.quick), key=lambda fault: _BEGUN.get(fault.name, 0))

#: How often a fault is run before it counts as found. A machine that was busy for a moment is no fault; one that is
#: there shows each time.
_TRIES: Final = 3

#: Processors that others may keep busy. Beyond, a long wait may be theirs.
_BUSY: Final = 0.25

#: Seconds for which the machine may stand still. Half of what an ordinary client may wait is the machine's then.
_STOOD_STILL: Final = 0.025


def measures(fault: Fault) -> bool:
    """Whether it measures what others wait."""
    return fault.run.__module__ in MEASURING


def parameter(fault: Fault) -> Any:
    """A fault as a parameter, marked by what it must not run beside."""
    module = fault.run.__module__
    marks = [pytest.mark.measuring, pytest.mark.divisible] if measures(fault) else [pytest.mark.grouped(module)]
    return pytest.param(fault, id=fault.name, marks=[*marks, pytest.mark.holding] if module in HOLDING else marks)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def turns(request: pytest.FixtureRequest) -> Turns:
    cache = request.config.cache
    assert cache is not None
    return Turns(cache.mkdir("faults") / "turns")  # all runs in this checkout have it in common


def tried(fault: Fault, gateway: Gateway, turns: Turns) -> Outcome:
    """What came of a fault, run until nothing is noticed, or often enough."""
    options = Options.of(Path(PROXY) if PROXY else None, "uvloop")
    if measures(fault):
        with turns.beside_others():
            outcome = play(fault, gateway, options, quick=True, strict=True)
        if outcome.ok:
            return outcome
    tries = 0
    while True:
        with turns.by_itself() if measures(fault) else contextlib.nullcontext():
            outcome = play(fault, gateway, options, quick=True)
        tries += 1
        if outcome.ok or tries == _TRIES:
            return outcome


@pytest.mark.parametrize("holds", [True, False], ids=["and it holds there", "and it does not"])
def test_what_is_too_long_beside_others_is_measured_by_itself(
    holds: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []

    def play(fault: Fault, *_: object, strict: bool = False, **__: object) -> Outcome:
        made.append(strict)
        held = holds and not strict
        return Outcome(fault.item, fault.name, "uvloop", True, checks=[Check(LONGEST_WAIT, held, "", "")])

    monkeypatch.setitem(globals(), "play", play)
    measuring = next(filter(measures, QUICK))
    assert tried(measuring, Gateway(), Turns(tmp_path / "turns")).ok is holds
    assert made == [True, False] if holds else [True] + [False] * _TRIES


@pytest.mark.slow
@pytest.mark.parametrize("fault", [parameter(fault) for fault in QUICK])
def test_an_ordinary_client_does_not_notice(fault: Fault, gateway: Gateway, turns: Turns) -> None:
    outcome = tried(fault, gateway, turns)
    if outcome.skipped is not None:
        pytest.skip(outcome.skipped)
    if not outcome.ok and outcome.only_waited and outcome.others > _BUSY:
        pytest.skip(
            f"waits cannot be told here: other programs keep {outcome.others} processors busy; run `make alone`"
        )
    if not outcome.ok and outcome.only_waited and outcome.stood_still > _STOOD_STILL:
        pytest.skip(f"waits cannot be told here: this machine stood still for {outcome.stood_still * 1e3:.0f} ms")
    assert outcome.ok, tables.told(outcome)
