"""What is missing in a draft, as messages beside it: a draft of comments alone is valid YAML too."""

import re
from enum import Enum
from typing import Final


class Gap(Enum):
    """A part without which no answer is ever corrected, and how to fill it in."""

    EVENTS = (
        "the draft has no rule under `events`: no event that could be read has a word that is known to mean lost or"
        " found. Capture what comes while a phone is unlinked and linked again, or write the rules at its TODO"
    )
    LOSS = (
        "the draft has no word for a loss: no rule under `events` has `disconnected`, so no answer is ever"
        " corrected. Capture what comes while a phone is unlinked, or write the word at its TODO"
    )
    CHANNELS = (
        "the draft has no `channels`: in no answer were found both a member that tells the sessions apart and one that"
        " tells a state. Ask for the list of sessions through the proxy or give it with --list and --route, or fill in"
        " the skeleton at its TODO"
    )


_LOSS: Final = re.compile(r"^    (?:disconnected: \[|means: disconnected\b)", re.MULTILINE)


def gaps(draft: str) -> list[Gap]:
    """What this draft lacks."""
    keys = {line.partition(":")[0] for line in draft.splitlines()}
    has = {
        Gap.EVENTS: "events" in keys,
        Gap.LOSS: "events" not in keys or _LOSS.search(draft),
        Gap.CHANNELS: "channels" in keys,
    }
    return [gap for gap in Gap if not has[gap]]
