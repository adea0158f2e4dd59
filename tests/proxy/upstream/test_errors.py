"""What an error of the gateway's side says."""

import pytest

from statusproxy.proxy.problems import PROBLEMS
from statusproxy.proxy.upstream.errors import UNREACHED, UpstreamError


@pytest.mark.parametrize(
    ("error", "said", "code", "answered"),
    [
        (UpstreamError("overloaded"), "overloaded", "overloaded", False),
        (
            UpstreamError("gateway_reset", "while it answered", answered=True),
            "gateway_reset: while it answered",
            "gateway_reset",
            True,
        ),
    ],
)
def test_it_says_what_happened_and_whether_an_answer_had_begun(
    error: UpstreamError, said: str, code: str, answered: bool
) -> None:
    assert (str(error), error.code, error.answered) == (said, code, answered)


def test_where_no_connection_was_made_is_told_by_problems_of_the_table() -> None:
    assert PROBLEMS.keys() >= UNREACHED
