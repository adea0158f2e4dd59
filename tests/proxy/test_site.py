"""The site's settings: what is not said is what the configuration's own defaults say."""

import pytest

from statusproxy.assembly import build_site
from statusproxy.config.load import loads
from statusproxy.proxy.sender_auth import SenderPolicy
from statusproxy.proxy.site import ChannelsEntry, CreateEntry, Limits, Site, Timeouts, WebhookTarget
from tests.known_dialect import KNOWN


@pytest.fixture(scope="module")
def built() -> Site:
    """The site of a configuration that names the gateway only."""
    return build_site(loads("gateway: http://127.0.0.1:3000"))


def test_times_and_limits_are_those_of_the_configuration(built: Site) -> None:
    assert (Timeouts(), Limits()) == (built.timeouts, built.limits)


def test_a_site_of_pool_routes_and_trust_alone_speaks_english_and_keeps_the_host(built: Site) -> None:
    site = Site(built.pool, built.routes, built.trust)
    assert (site.language, site.host, site.at_web_port) == ("en", "preserve", False)
    assert (site.pools, site.rules) == ({}, {})


def test_a_session_is_created_by_the_words_of_the_configuration(built: Site) -> None:
    assert built.routes.match("POST", b"/api/channels").entry == CreateEntry(qr=KNOWN.qr)


def test_an_event_goes_to_the_gateway_and_a_list_is_asked_for_each_time(built: Site) -> None:
    target = WebhookTarget(SenderPolicy(()))
    assert (target.pool, target.target, target.forward, target.path, target.session_at) == (None, None, True, "", None)
    assert (target.receiver, target.spool) == ("gateway", False)
    assert not ChannelsEntry(built.rules["/api/channels"]).share
