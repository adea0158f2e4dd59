"""Work in steps, done at once."""

from collections.abc import Generator

from statusproxy.status.steps import at_once


def test_every_step_is_gone_and_the_result_is_given() -> None:
    gone: list[int] = []

    def steps() -> Generator[None, None, str]:
        for number in range(3):
            gone.append(number)
            yield
        return "done"

    assert (at_once(steps()), gone) == ("done", [0, 1, 2])
