"""Files given with the wrong option: a list of the gateway as an event, and an event as a list."""

from __future__ import annotations

from statusproxy.rehearsal.elements import Element, Elements
from statusproxy.rehearsal.site import Site
from statusproxy.status.channel_list import ChannelList


def listed_on(body: bytes, site: Site) -> str | None:
    """The corrected route whose list a body must be, since it names channels with their words and no event at all."""
    if any(not isinstance(one, Element) or one.reading.event is not None for one in _elements(body, site)):
        return None
    for route in site.channel_routes:
        listing = ChannelList(body, route.entry)
        listing.read()
        channels = listing.ids.exact if listing.whole and listing.failure is None else ()
        if channels and all(listing.said(channel).word is not None for channel in channels):
            return route.path
    return None


def event_in(body: bytes, site: Site) -> str | None:
    """The first event in a body that a rule names."""
    named = (one for one in _elements(body, site) if isinstance(one, Element) and one.rule is not None)
    return next((one.reading.event for one in named), None)


def _elements(body: bytes, site: Site) -> list[object]:
    return list(Elements(site.settings.signal_rules()).read(body, 0.0))
