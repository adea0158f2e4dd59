"""What a running proxy tells `statusproxy doctor`: its settings, who sent webhooks, who spoke for others."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from statusproxy import __version__
from statusproxy.config.load import dump
from statusproxy.config.settings import Settings
from statusproxy.proxy.exchange import Proxy
from statusproxy.registry.registry import SessionRegistry


def self_report(
    registry: SessionRegistry,
    proxy: Proxy,
    settings: Settings,
    listening: Sequence[str],
    health: Mapping[str, Any],
    waiting: Sequence[str] = (),
    given: Sequence[str] = (),
) -> dict[str, Any]:
    """JSON's types only; times in epoch seconds. No secret: the settings in force are masked as `check` prints them.

    `waiting` are the keys that were changed in the file and wait for a restart; `given` those that the command line
    sets, whatever the file says.
    """
    return {
        "version": __version__,
        "pid": os.getpid(),
        "now": registry.clock.wall(),
        "started": registry.started_at,
        "listening": list(listening),
        "settings": dump(settings),
        "waiting": list(waiting),
        "given": list(given),
        "health": dict(health),
        "webhooks": {"last_heard": registry.heard_at, **registry.seen.report()},
        "absences": registry.absences.report(),
        "forwarding_strangers": list(proxy.site.trust.strangers),
    }
