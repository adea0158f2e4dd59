"""What a draft lacks."""

import pytest

from statusproxy.learning.gaps import Gap, gaps

LOSS = "events:\n  - event: x\n    disconnected: [down]    # TODO: guessed\n"


@pytest.mark.parametrize(
    ("draft", "lacking"),
    [
        (f"{LOSS}channels:\n  - path: /a\n", []),
        ("events:\n  - event: x\n    means: disconnected    # TODO\nchannels:\n", []),
        ("events:\n  - event: x\n    # disconnected: [WORD]\n    means: alive\nchannels:\n", [Gap.LOSS]),
        ("# events:\n#   - event: NAME\nchannels:\n  - path: /a\n", [Gap.EVENTS]),
        (f"{LOSS}# channels: TODO\n  channels:\n", [Gap.CHANNELS]),
        ("", [Gap.EVENTS, Gap.CHANNELS]),
    ],
)
def test_comments_are_no_rules_and_no_channels(draft: str, lacking: list[Gap]) -> None:
    assert gaps(draft) == lacking
