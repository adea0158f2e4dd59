"""The gateway in its own terms, for doctor and page: where its events' URL is set, its states, how sessions come back.

It comes from the preset's `about`, with the proxy's own address filled in. Doctor and page say the same.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import about
from statusproxy.config.settings import Settings
from statusproxy.config.templates import parse_template

#: Stands for the proxy's own address in `About.set_url`; what follows is the path that events are posted to.
_PROXY: Final = "{proxy}"
_POSTED_TO: Final = re.compile(re.escape(_PROXY) + r"(/[^\s\"']*)")


class Guidance(msgspec.Struct, frozen=True):
    """What the preset says about its gateway; empty if there is no preset, or if it does not say."""

    title: str = ""
    """The gateway's name."""
    url: str = ""
    """The URL on this proxy to which the gateway posts its events; empty where `set_url` is."""
    set_url: tuple[str, ...] = ()
    """The variables, calls or settings of the gateway, each enough alone, that set that URL."""
    states: Mapping[str, str] = {}
    """What the gateway's own words mean (`layers.STATES`)."""
    bring_back: tuple[str, ...] = ()
    """The gateway's routes by which a lost session comes back, in their order."""


def guidance(settings: Settings, environ: Mapping[str, str] | None = None) -> Guidance:
    """What the preset of these settings says about its gateway; `environ` as for `layers.about`.

    A way to set the URL is left out if its path is no longer one of the watched paths.
    """
    try:
        said = about(settings.preset, environ)
    except ConfigError:  # the preset's file was changed or removed since the settings were read
        said = None
    if said is None:
        return Guidance()
    base = reached_at(settings)
    ways = [way for way in said.set_url if _is_watched(way, settings)]
    posted_to = [path for way in ways for path in _POSTED_TO.findall(way)]
    return Guidance(
        title=said.title,
        url=f"{base}{posted_to[0]}" if posted_to else "",
        set_url=tuple(way.replace(_PROXY, base) for way in ways) if posted_to else (),
        states=said.states,
        bring_back=said.bring_back,
    )


def reached_at(settings: Settings) -> str:
    """Where others reach the proxy, as a URL; HOST stands for this machine where any of its addresses will do."""
    scheme = "https" if settings.tls is not None else "http"
    address = next((one for one in settings.listen if one.unix is None), None)
    if address is None:
        return str(settings.listen[0])
    return f"{scheme}://{_host_and_port(address)}"


def _host_and_port(address: Address) -> str:
    everywhere = address.host in ("", "0.0.0.0", "::")
    return f"HOST:{address.port}" if everywhere else str(address)


def _is_watched(way: str, settings: Settings) -> bool:
    templates = [parse_template(webhook.path) for webhook in settings.webhooks]
    return all(any(one.takes(path.split("/")[1:]) for one in templates) for path in _POSTED_TO.findall(way))
