"""What the story says alike of several gateways."""

from typing import Final

RARELY_STALE: Final = (
    "Its list is rarely stale: list and events come from the same variable. The proxy adds the history of each loss; "
    "its correction is a safety net."
)
UNLINKED: Final = "Someone unlinks the phone of {session!r}"
