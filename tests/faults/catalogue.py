"""All faults, in the order of their items."""

from __future__ import annotations

from typing import Final

from tests.faults import carried_state, cut_short, descriptors, held_places, large_work, nothing_lost
from tests.faults.fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *carried_state.FAULTS,
    *large_work.FAULTS,
    *sorted((*held_places.FAULTS, *descriptors.FAULTS), key=lambda fault: int(fault.item[1:])),
    *cut_short.FAULTS,
    *nothing_lost.FAULTS,
)


def named(name: str) -> list[Fault]:
    """The faults of that name, or of that item. `LookupError` where there is none."""
    found = [fault for fault in FAULTS if name in {fault.name, fault.item} or name.upper() == fault.item]
    if not found:
        raise LookupError(f"no fault is called {name!r}; python -m tests.faults --list names them all")
    return found
