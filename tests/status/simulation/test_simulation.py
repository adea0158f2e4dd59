"""Many proxies on a bad network: whatever happens, they know the same in the end, and nothing older won.

`make simulate SCHEDULES=10000 SEED=0` runs more schedules than these.
"""

import os

import pytest

from statusproxy.status import adoption

from .runs import fails, report, shrunk
from .world import Setting, setting

pytestmark = pytest.mark.divisible

#: Fewer in the edit loop.
SCHEDULES = 100 if os.environ.get("HYPOTHESIS_PROFILE") == "brief" else 500
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.slow
def test_all_proxies_know_the_same_when_all_is_quiet(part: int) -> None:
    for seed in range(part, SCHEDULES, PARTS):
        made = setting(seed)
        if fails(made):
            raise AssertionError(report(made))


@pytest.mark.slow
def test_a_fault_is_reported_with_its_seed_and_the_operations_that_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "unite", lambda ours, theirs: ours)
    made = next(made for made in map(setting, range(100)) if fails(made))
    text = report(made)
    assert text.startswith(f"seed {made.seed}: ")
    assert 1 <= text.count("Operation(") < len(made.operations)


def test_of_a_schedule_only_what_a_failure_needs_is_left() -> None:
    made = setting(1)
    wanted = {made.operations[2].number, made.operations[-1].number}

    def fails_with(tried: Setting) -> str | None:
        return "both" if wanted <= {one.number for one in tried.operations} else None

    assert {one.number for one in shrunk(made, fails_with).operations} == wanted
