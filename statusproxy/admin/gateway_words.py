"""What the settings say about the gateway for people: address, own words, the rule that corrects its list.

Made once for each settings in force, at start and at reload.
"""

import os

import msgspec

from statusproxy.config.guidance import Guidance, guidance
from statusproxy.config.settings import Settings
from statusproxy.status.channel_list import ChannelRule


class GatewayWords(msgspec.Struct, frozen=True):
    """The gateway, as the status page and the command line speak of it."""

    gateway_url: str
    guidance: Guidance
    rule: ChannelRule | None
    """The rule of the first corrected route; None if no route is corrected."""


def gateway_words(settings: Settings) -> GatewayWords:
    """What these settings say of their gateway. Reads the preset's file where it is one of the user's own."""
    rule = settings.channels[0].rule() if settings.channels else None
    return GatewayWords(settings.gateway_shown, guidance(settings, os.environ), rule)
