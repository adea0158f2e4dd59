"""A clock that goes only when a test sets it."""


class HandClock:
    """Seconds: `now`, until the test says otherwise."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        """The same, where the clock stands for the module `time`."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """As in `time`: so much time passes."""
        self.now += seconds
