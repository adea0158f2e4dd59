"""What a draft lacks."""

import pytest

from statusproxy.learning.gaps import Gap, gaps


@pytest.mark.parametrize(
    ("draft", "lacking"),
    [
        ("events:\n  - event: x\nchannels:\n  - path: /a\n", []),
        ("# events:\n#   - event: NAME\nchannels:\n  - path: /a\n", [Gap.EVENTS]),
        ("events:\n  - event: x\n# channels: TODO\n  channels:\n", [Gap.CHANNELS]),
        ("", [Gap.EVENTS, Gap.CHANNELS]),
    ],
)
def test_comments_are_no_rules_and_no_channels(draft: str, lacking: list[Gap]) -> None:
    assert gaps(draft) == lacking
