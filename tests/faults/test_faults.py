"""Every fault in its quick variant: an ordinary client must not notice it.

The full variants, with those that only have a long one, are `make faults`. FAULTS_PROXY names another program to test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults import descriptors, held_places, large_work, tables
from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault
from tests.faults.gateway import Gateway
from tests.faults.program import Options
from tests.faults.stage import play

PROXY: Final = os.environ.get("FAULTS_PROXY")
QUICK: Final = [fault for fault in FAULTS if fault.quick]

#: Faults that measure what others wait: `make alone` runs them when nothing else runs.
MEASURING: Final = {module.__name__ for module in (large_work, held_places, descriptors)}

#: Processors that others may keep busy. Beyond, a long wait may be theirs.
_BUSY: Final = 0.25

#: Seconds for which the machine may stand still. Half of what an ordinary client may wait is the machine's then.
_STOOD_STILL: Final = 0.025


def parameter(fault: Fault) -> Any:
    """A fault as a parameter, marked by what it must not run beside."""
    module = fault.run.__module__
    measuring = module in MEASURING
    marks = pytest.mark.measuring if measuring else pytest.mark.grouped(module)
    return pytest.param(fault, id=fault.name, marks=marks)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        yield gateway


@pytest.mark.slow
@pytest.mark.parametrize("fault", [parameter(fault) for fault in QUICK])
def test_an_ordinary_client_does_not_notice(fault: Fault, gateway: Gateway) -> None:
    options = Options.of(Path(PROXY) if PROXY else None, "uvloop")
    outcome = play(fault, gateway, options, quick=True)
    for _ in range(2):
        # A machine that was busy for a moment is no fault; one that is there shows each time.
        if not outcome.ok:
            outcome = play(fault, gateway, options, quick=True)
    if outcome.skipped is not None:
        pytest.skip(outcome.skipped)
    if not outcome.ok and outcome.only_waited and outcome.others > _BUSY:
        pytest.skip(
            f"waits cannot be told here: other programs keep {outcome.others} processors busy; run `make alone`"
        )
    if not outcome.ok and outcome.only_waited and outcome.stood_still > _STOOD_STILL:
        pytest.skip(f"waits cannot be told here: this machine stood still for {outcome.stood_still * 1e3:.0f} ms")
    assert outcome.ok, tables.told(outcome)
