"""A time line per alert: what Prometheus scrapes, and when the alert fires and when it does not."""

from collections.abc import Mapping
from typing import Final

import msgspec

#: Seconds between two scrapes.
INTERVAL: Final = 15

_SINCE: Final = (
    '{{ with printf "statusproxy_override_since_timestamp_seconds{session=%q}" $labels.session | query }}'
    "{{ . | first | value | humanizeTimestamp }}{{ end }}"
)


class Line(msgspec.Struct, frozen=True):
    """What one alert makes of some series."""

    alert: str
    what: str
    """What happens, for people."""
    series: Mapping[str, str]
    """Values by series, as promtool spells them: `1x4` is five samples of 1."""
    fires: Mapping[str, bool]
    """By the time since the first sample."""
    labels: Mapping[str, str] = {}
    """Those of the alert, without its name and severity."""
    words: Mapping[str, str] = {}
    """What stands for each template in the texts."""


_A: Final = 'instance="a",job="statusproxy"'
_AT_A: Final = {"instance": "a", "job": "statusproxy"}
_JOB: Final = {"job": "statusproxy"}
_INSTANCE: Final = {"{{ $labels.instance }}": "a"}


def _of(name: str, more: str = "", at: str = "a") -> str:
    return f'{name}{{instance="{at}",job="statusproxy"{more and "," + more}}}'


_LOST: Final = 'session="sales",state="lost"'

LINES: Final = (
    Line(
        "StatusproxySessionLost",
        "a session is lost after five minutes, and two proxies say so",
        {
            _of("statusproxy_session_state", _LOST): "0x19 1x40 0x20",
            _of("statusproxy_session_state", _LOST, "b"): "0x20 1x40 0x20",
            _of("statusproxy_session_state", 'session="sales",state="connected"'): "1x19 0x40 1x20",
            _of("statusproxy_override_since_timestamp_seconds", 'session="sales"'): "_x19 300x40 _x20",
        },
        {"5m45s": False, "6m": True, "15m": True, "16m": False},
        {**_JOB, "session": "sales"},
        {"{{ $labels.session }}": "sales", _SINCE: "1970-01-01 00:05:00 +0000 UTC"},
    ),
    Line(
        "StatusproxySessionLost",
        "a session flaps: lost for 45 seconds, twice",
        {_of("statusproxy_session_state", _LOST): "0x19 1x2 0x1 1x2 0x40"},
        {"5m45s": False, "6m": False, "6m30s": False, "7m": False, "10m": False},
    ),
    Line(
        "StatusproxySessionFlapping",
        "three flaps within the hour",
        {_of("statusproxy_session_flaps_total", 'session="sales"'): "0x79 1x39 2x39 3x240"},
        {"35m": False, "42m": True, "2h": False},
        {**_JOB, "session": "sales"},
        {"{{ $labels.session }}": "sales", '{{ $value | printf "%.0f" }}': "3"},
    ),
    Line(
        "StatusproxyListsNotCorrected",
        "the gateway answers with something that is no list, for ten minutes",
        {_of("statusproxy_correction_failures_total", 'reason="not-json"'): "0x19 1+1x39 40x120"},
        {"5m15s": False, "9m45s": False, "10m15s": True, "29m": True, "31m": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxyGatewayDown",
        "the gateway is down for five minutes",
        {_of("statusproxy_gateway_up"): "1x19 0x20 1x20"},
        {"5m45s": False, "6m": True, "10m15s": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxyGatewayDown",
        "the gateway restarts within half a minute",
        {_of("statusproxy_gateway_up"): "1x19 0x1 1x20"},
        {"5m15s": False, "6m": False, "7m": False},
    ),
    Line(
        "StatusproxyErrors",
        "a tenth of the requests fail from the fifth minute on",
        {
            _of("statusproxy_requests_total", 'route="pass",method="GET",status="200"'): "0+90x120",
            _of("statusproxy_requests_total", 'route="pass",method="GET",status="502"'): "0x20 10+10x99",
        },
        {"7m": False, "11m": False, "20m": True},
        _AT_A,
        {**_INSTANCE, "{{ $value | humanizePercentage }}": "10%"},
    ),
    Line(
        "StatusproxyErrors",
        "half of a handful of requests fail: a quiet site",
        {
            _of("statusproxy_requests_total", 'route="pass",method="GET",status="200"'): "0x39 1x39 2x39",
            _of("statusproxy_requests_total", 'route="pass",method="GET",status="502"'): "0x39 1x39 2x39",
        },
        {"11m": False, "15m": False, "21m": False, "25m": False},
    ),
    Line(
        "StatusproxySlow",
        "lists take a second from the fifth minute on",
        {
            _of("statusproxy_own_seconds_bucket", 'route="channels",le="0.5"'): "0+10x19 200x120",
            _of("statusproxy_own_seconds_bucket", 'route="channels",le="1.0"'): "0+10x139",
            _of("statusproxy_own_seconds_bucket", 'route="channels",le="+Inf"'): "0+10x139",
            _of("statusproxy_own_seconds_bucket", 'route="pass",le="0.5"'): "0+999x139",
            _of("statusproxy_own_seconds_bucket", 'route="pass",le="1.0"'): "0+999x139",
            _of("statusproxy_own_seconds_bucket", 'route="pass",le="+Inf"'): "0+999x139",
        },
        {"10m": False, "30m": True},
        _AT_A,
        {**_INSTANCE, "{{ $value | humanizeDuration }}": "995ms"},
    ),
    Line(
        "StatusproxyLoopLag",
        "the processor is taken away for ten minutes",
        {_of("statusproxy_event_loop_lag_max_seconds"): "0.01x19 0.5x40 0.01x20"},
        {"9m45s": False, "10m": True, "15m15s": False},
        _AT_A,
        {**_INSTANCE, "{{ $value | humanizeDuration }}": "500ms"},
    ),
    Line(
        "StatusproxyLoopLag",
        "one long callback",
        {_of("statusproxy_event_loop_lag_max_seconds"): "0.01x19 0.5x4 0.01x40"},
        {"5m15s": False, "6m": False, "10m": False},
    ),
    Line(
        "StatusproxyWebhooksSilent",
        "the last webhook came after a minute; the other proxy got one later",
        {
            _of("statusproxy_last_webhook_timestamp_seconds"): "60x400",
            _of("statusproxy_last_webhook_timestamp_seconds", at="b"): "120x400",
        },
        {"61m30s": False, "62m45s": False, "63m15s": True},
        _JOB,
        {"{{ $value | humanizeDuration }}": "1h 1m 15s"},
    ),
    Line(
        "StatusproxyStoreFailing",
        "the disk is full for ten minutes",
        {_of("statusproxy_store_healthy"): "1x19 0x40 1x20"},
        {"6m45s": False, "7m": True, "15m15s": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxyStoreFailing",
        "one write fails and the next succeeds",
        {_of("statusproxy_store_healthy"): "1x19 0x2 1x40"},
        {"5m30s": False, "7m": False, "8m": False},
    ),
    Line(
        "StatusproxyStateDamaged",
        "damage until it is acknowledged",
        {_of("statusproxy_state_damage"): "0x19 2x20 0x20"},
        {"4m45s": False, "5m": True, "10m15s": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxySpoolOld",
        "the gateway is away from the first minute on",
        {_of("statusproxy_spool_oldest_timestamp_seconds"): "_x3 60x60"},
        {"6m": False, "7m": False, "7m30s": True},
        _JOB,
        {"{{ $value | humanizeDuration }}": "6m 30s"},
    ),
    Line(
        "StatusproxySpoolUnknown",
        "three events without an answer, told by two proxies",
        {
            _of("statusproxy_spool_unknown"): "0x19 3x20 0x20",
            _of("statusproxy_spool_unknown", at="b"): "0x19 3x20 0x20",
        },
        {"5m45s": False, "6m": True, "10m15s": False},
        _JOB,
        {"{{ $value }}": "3"},
    ),
    Line(
        "StatusproxySpoolDead",
        "one event is refused for good",
        {_of("statusproxy_spool_dead"): "0x19 1x20"},
        {"5m45s": False, "6m": True},
        _JOB,
        {"{{ $value }}": "1"},
    ),
    Line(
        "StatusproxySpoolRefusing",
        "the spool is full once",
        {
            _of("statusproxy_spool_not_kept_total", 'reason="full"'): "0x19 1x60",
            _of("statusproxy_spool_not_kept_total", 'reason="store"'): "0x80",
        },
        {"4m45s": False, "5m15s": True, "10m15s": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxyEventsDropped",
        "one event became too old",
        {_of("statusproxy_spool_dropped_total", 'reason="age"'): "0x19 1x300"},
        {"4m45s": False, "5m15s": True, "1h6m": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxyEventsDropped",
        "an operator drops events",
        {_of("statusproxy_spool_dropped_total", 'reason="operator"'): "0x19 9x60"},
        {"5m15s": False, "10m": False},
    ),
    Line(
        "StatusproxyAlertsNotDelivered",
        "a target takes no messages",
        {_of("statusproxy_alerts_waiting"): "0x19 2x60"},
        {"14m45s": False, "15m": True},
        _JOB,
        {"{{ $value }}": "2"},
    ),
    Line(
        "StatusproxyAlertsNotDelivered",
        "a target takes them at the third attempt",
        {_of("statusproxy_alerts_waiting"): "0x19 2x20 0x40"},
        {"6m": False, "10m": False, "15m": False, "20m": False},
    ),
    Line(
        "StatusproxyDown",
        "the proxy is down for five minutes",
        {_of("up"): "1x19 0x20 1x20"},
        {"6m45s": False, "7m": True, "10m15s": False},
        _AT_A,
        _INSTANCE,
    ),
    Line(
        "StatusproxyAbsent",
        "another job is there, and this one is not any more",
        {_of("up"): "1x19 _x60", 'up{job="node",instance="n"}': "1x80"},
        {"5m": False, "9m": False, "15m15s": True},
        _JOB,
    ),
    Line(
        "StatusproxyRestarting",
        "three restarts within half an hour",
        {_of("process_start_time_seconds"): "100x19 400x19 700x19 1000x120"},
        {"14m45s": False, "15m": True, "36m": False},
        _AT_A,
        {**_INSTANCE, "{{ $value }}": "3"},
    ),
    Line(
        "StatusproxyRestarting",
        "two upgrades within half an hour",
        {_of("process_start_time_seconds"): "100x19 400x19 700x100"},
        {"10m15s": False, "20m": False},
    ),
)
