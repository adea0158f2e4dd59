"""The one word that clients read for a session shown as disconnected: for log lines, the page and the doctor."""

from __future__ import annotations

import json

from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.fields import fold_word
from statusproxy.status.set_values import values_for


def lost_word(rule: ChannelRule, word: str | None, said: str | None) -> str | None:
    """What a channel's status reads by this rule, where an event with `word` (None: without one) said disconnected.

    `said` is the gateway's own word, if it is known: it stays if the rule keeps it. Of several members that are set,
    the first that is set to a text is used. If none is set to a text, the first one is given with its value, as in
    `connected: false`. None if nothing is set for this word.
    """
    values = values_for(rule.set, word)
    text = next((value for value in values.values() if isinstance(value, str)), None)
    if said is not None and text is not None and fold_word(said) in rule.keep:
        return said
    return text or next((f"{name}: {json.dumps(value)}" for name, value in values.items()), None)
