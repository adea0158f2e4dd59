"""What the tests of this room share."""

import pytest

from tests.proxy.loop_clock import LoopClock


@pytest.fixture
def still_clock(loop_clock: LoopClock) -> LoopClock:
    """The clock of the test's event loop, which stands still until the test moves it."""
    loop_clock.stand_still()
    return loop_clock
