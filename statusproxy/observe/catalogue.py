"""The catalogue of all metrics: name, type, labels, meaning, and when to look at each. Exposition and docs go by it.

A metric's family is made by its name (`families`), so that none is exposed that is not described here.
docs/monitoring.md shows the catalogue: `.venv/bin/python -m tests.metrics_page` writes it there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from statusproxy.observe.exchange_report import RouteKind


class Kind(StrEnum):
    """The type of a metric, as Prometheus spells it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Described(msgspec.Struct, frozen=True):
    """One metric."""

    name: str
    """As it is scraped: with `_total` for a counter, without `_bucket` for a histogram."""
    kind: Kind
    text: str
    """What its value says: the `# HELP` line."""
    when: str
    """When to look at it."""
    labels: Mapping[str, str] = {}
    """What the values of each label are."""


class Part(msgspec.Struct, frozen=True):
    """Metrics that are about one thing."""

    title: str
    about: str
    metrics: tuple[Described, ...]


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

_ROUTE: Final = "what the proxy does with the request: " + ", ".join(kind.name.lower() for kind in RouteKind)
_SESSION: Final = "the first 128 characters of the session's id"
_TO: Final = "gateway, hub"

_TRAFFIC: Final = Part(
    "Traffic",
    "",
    (
        Described(
            "statusproxy_requests_total", _COUNTER,
            "Finished requests. Status 499: the client left before its answer was complete; 0: a stop of the proxy "
            "cut it off.",
            "the hub reports errors, or the load has changed",
            {"route": _ROUTE, "method": "the method, or other", "status": "the status sent to the client"},
        ),
        Described(
            "statusproxy_request_problems_total", _COUNTER,
            "Requests that failed, or that the proxy answered itself.",
            "4xx or 5xx increase: the code says where the error is, and why",
            {"code": "as error_code in the answer, such as gateway_unreachable"},
        ),
        Described(
            "statusproxy_request_seconds", _HISTOGRAM,
            "Seconds from the head of a request to the last byte of its answer.",
            "the hub is slow: this is the whole time that it waits",
            {"route": _ROUTE},
        ),
        Described(
            "statusproxy_gateway_seconds", _HISTOGRAM,
            "Seconds from sending a request to the gateway to the head of its answer.",
            "the hub is slow: this is the gateway's share",
            {"route": _ROUTE},
        ),
        Described(
            "statusproxy_own_seconds", _HISTOGRAM,
            "Seconds of a request without the wait for the head of the gateway's answer: the proxy's work, and the "
            "bodies.",
            "the hub is slow: this is the proxy's share, and the time that clients need for long bodies",
            {"route": _ROUTE},
        ),
        Described(
            "statusproxy_requests_missing_total", _COUNTER,
            "Requests without a header that a proxy in front should have passed on.",
            "it increases: a line is missing in the configuration of nginx or another proxy in front; statusproxy "
            "doctor shows the line",
            {"what": "client (X-Forwarded-For), upgrade (the Upgrade of a WebSocket)"},
        ),
        Described(
            "statusproxy_bytes_total", _COUNTER,
            "Bytes of request bodies and of answers.",
            "the network is full",
            {"direction": "request, answer"},
        ),
        Described(
            "statusproxy_requests_in_flight", _GAUGE,
            "Running requests.",
            "it grows and does not fall: the gateway is too slow for the number of requests",
        ),
        Described(
            "statusproxy_upstream_connections", _GAUGE,
            "Connections to the gateway, and to the hub.",
            "active stays close to limits.upstream_connections: requests wait for a connection",
            {"to": _TO, "state": "active, idle"},
        ),
        Described(
            "statusproxy_upstream_connections_opened_total", _COUNTER,
            "Opened connections.",
            "it increases as fast as the requests: the gateway closes each connection",
            {"to": _TO},
        ),
        Described(
            "statusproxy_gateway_up", _GAUGE,
            "1 if the gateway accepted a connection at this scrape, 0 if not.",
            "requests fail: at 0 the gateway is down, or its configured address is wrong",
        ),
    ),
)  # fmt: skip

_EVENTS: Final = Part(
    "Events and corrections",
    "",
    (
        Described(
            "statusproxy_signals_total", _COUNTER,
            "Webhooks that were read, by what they say and what the proxy did with it.",
            "a session does not work and nothing was corrected: did its event arrive, and was it trusted?",
            {
                "kind": "connected, disconnected, transient, alive, none",
                "verdict": "applied, late, duplicate, unchanged, presence, nameless (a known state without a session), "
                "untrusted, and others",
            },
        ),
        Described(
            "statusproxy_unread_total", _COUNTER,
            "Webhooks and other bodies that could not be read and were passed on unchanged.",
            "it increases: events may be missed",
            {"what": "webhook, qr, …", "reason": "such as not-json, too-large"},
        ),
        Described(
            "statusproxy_last_webhook_timestamp_seconds", _GAUGE,
            "When the last trusted webhook arrived, or the start of the process if there was none; epoch seconds.",
            "disconnects are not noticed: no event passes through the proxy any more",
        ),
        Described(
            "statusproxy_overrides_started_total", _COUNTER,
            "Corrections that came into force.",
            "many sessions disconnect at once: check the engine, the network and the phone provider",
        ),
        Described(
            "statusproxy_overrides_repeated_total", _COUNTER,
            "Disconnects reported once more while a correction was in force.",
            "the engine tries repeatedly to reconnect a session",
        ),
        Described(
            "statusproxy_releases_total", _COUNTER,
            "Corrections that ended.",
            "corrections end for a reason that you do not expect",
            {"reason": "connected-event, reconnected, deleted, alive, operator, expired, evicted"},
        ),
        Described(
            "statusproxy_answers_corrected_total", _COUNTER,
            "Answers in which something was corrected.",
            "a correction is in force and the hub still shows connected: does it ask for the list?",
        ),
        Described(
            "statusproxy_channels_corrected_total", _COUNTER,
            "Channels corrected in answers.",
            "like statusproxy_answers_corrected_total",
        ),
        Described(
            "statusproxy_correction_failures_total", _COUNTER,
            "Lists that could not be corrected and were passed on unchanged.",
            "it increases: the hub sees the gateway's own list; the label says why",
            {"reason": "such as not-json, too-large"},
        ),
    ),
)  # fmt: skip

_SESSIONS: Final = Part(
    "Sessions",
    "At most 500 sessions have their own series: first the lost ones, then those in the gateway's list. "
    "Proxies that share a state report the same for each session: use `max`.",
    (
        Described(
            "statusproxy_session_state", _GAUGE,
            "1 for the state that a session is in, 0 for the others.",
            "you need to know which numbers do not work",
            {
                "session": _SESSION,
                "state": "lost (a correction is in force), reported_down (the gateway itself says so), needs_qr (it "
                "waits for a QR scan, or starts), connected, unknown (nothing is known)",
            },
        ),
        Described(
            "statusproxy_sessions", _GAUGE,
            "Sessions that events were about.",
            "it grows without end: a sender invents sessions",
        ),
        Described(
            "statusproxy_sessions_without_series", _GAUGE,
            "Sessions that have no series of their own.",
            "a session is missing in the dashboard",
        ),
        Described(
            "statusproxy_sessions_evicted_total", _COUNTER,
            "Sessions that were removed because sessions.max_sessions was reached.",
            "it increases: there are more sessions than the limit; sessions in the gateway's list are removed last",
        ),
        Described(
            "statusproxy_sessions_forgotten_total", _COUNTER,
            "Sessions removed by an operator (statusproxy forget).",
            "a session's history ends",
        ),
        Described(
            "statusproxy_overrides", _GAUGE,
            "Corrections in force: sessions that the next answer shows as disconnected.",
            "like statusproxy_session_state, for all sessions together",
        ),
        Described(
            "statusproxy_overrides_shown", _GAUGE,
            "Corrections in force that an answer has already shown.",
            "it stays below statusproxy_overrides: the hub does not ask for the list through the proxy",
        ),
        Described(
            "statusproxy_override_since_timestamp_seconds", _GAUGE,
            "When a session with a correction in force was disconnected, epoch seconds.",
            "a session is lost, and you need to know since when",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_losses_total", _COUNTER,
            "How often a session was lost.",
            "a number is lost more often than others",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_flaps_total", _COUNTER,
            "Losses that lasted less than 60 seconds.",
            "a number disconnects and reconnects: check the phone's network, and whether two engines use the number",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_lost_seconds_total", _COUNTER,
            "Seconds for which a session was lost; it grows while the session is lost.",
            "you need the uptime of a number: 1 - rate(…[30d])",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_last_event_timestamp_seconds", _GAUGE,
            "When the last event about a session arrived, including presence of its contacts; epoch seconds.",
            "a session does not work but is shown as connected: do its events pass through the proxy?",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_last_message_timestamp_seconds", _GAUGE,
            "When the last message or call arrived for a session, epoch seconds.",
            "a number is shown as connected but no messages arrive",
            {"session": _SESSION},
        ),
    ),
)  # fmt: skip

_SPOOL: Final = Part(
    "Stored events",
    "What [the spool](spool.md) contains and did. The gauges exist unless the state is `memory:`. Proxies that share a "
    "state in Redis report the same for `_entries`, `_unknown`, `_dead`, `_bytes` and `_oldest_timestamp_seconds`: use "
    "`max`. The others are separate for each proxy: use `sum`.",
    (
        Described(
            "statusproxy_spool_entries", _GAUGE,
            "Stored events of all proxies that share the state, by their state.",
            "the gateway was down: how many events still have to be delivered?",
            {"state": "waiting (for delivery), unknown (sent and not answered), dead (refused permanently)"},
        ),
        Described(
            "statusproxy_spool_unknown", _GAUGE,
            "Events that were sent and not answered: they may have arrived.",
            "it is not 0: you have to decide; see statusproxy spool list",
        ),
        Described(
            "statusproxy_spool_dead", _GAUGE,
            "Events that their receiver refuses permanently.",
            "it is not 0: you have to decide; see statusproxy spool list",
        ),
        Described(
            "statusproxy_spool_bytes", _GAUGE,
            "Bytes of all stored events of all proxies that share the state.",
            "it is close to spool.max_bytes: above it, new events are refused",
        ),
        Described(
            "statusproxy_spool_oldest_timestamp_seconds", _GAUGE,
            "When the oldest waiting event arrived, at any proxy that shares the state, epoch seconds; missing while "
            "no "
            "event waits.",
            "events arrive late",
        ),
        Described(
            "statusproxy_spool_circuit_open", _GAUGE,
            "1 while this proxy only tests a receiver with one event at a time, because it was down.",
            "events wait: the receiver was down at the last attempts",
            {"to": _TO},
        ),
        Described(
            "statusproxy_spool_kept_total", _COUNTER,
            "Events that this proxy stored, by the reason why they were not delivered at once.",
            "the gateway restarts often, or refuses events",
            {"reason": "queued (waits behind others of its session), not-sent, refused, no-answer"},
        ),
        Described(
            "statusproxy_spool_not_kept_total", _COUNTER,
            "Events that this proxy could not store: their senders got an error.",
            "it increases: events are refused",
            {"reason": "full, store"},
        ),
        Described(
            "statusproxy_spool_delivered_total", _COUNTER,
            "Stored events that this proxy delivered.",
            "the gateway is back: does the number of waiting events fall?",
        ),
        Described(
            "statusproxy_spool_dropped_total", _COUNTER,
            "Stored events that this proxy dropped without delivery.",
            "it increases: events were lost; the log says which",
            {"reason": "age (spool.max_age), operator, lost (unreadable, or the server lost its data)"},
        ),
    ),
)  # fmt: skip

_ALERTS: Final = Part(
    "Alerts",
    "What the proxy's own alerts (`alerts:` in the configuration) did.",
    (
        Described(
            "statusproxy_alert_deliveries_total", _COUNTER,
            "Attempts to deliver a message to a target of alerts.",
            "messages do not arrive: statusproxy alerts list shows each error",
            {"target": "kind and host of the target", "result": "sent, failed"},
        ),
        Described(
            "statusproxy_alerts_waiting", _GAUGE,
            "Alert messages that are not delivered yet; missing if no alerts are configured.",
            "it stays above 0: a target does not accept messages",
        ),
        Described(
            "statusproxy_heartbeats_total", _COUNTER,
            "Heartbeats (alerts.heartbeat): answered, failed, or withheld because store or gateway did not answer.",
            "the monitor says that the proxy is down, but it is up",
            {"result": "answered, failed, withheld"},
        ),
    ),
)  # fmt: skip

_PROCESS: Final = Part(
    "The process",
    "The metrics `process_*` are those of Prometheus' library.",
    (
        Described(
            "statusproxy_event_loop_lag_seconds", _HISTOGRAM,
            "Seconds by which a timer that runs ten times per second was late.",
            "everything is slow: which share of the requests waited?",
        ),
        Described(
            "statusproxy_event_loop_lag_max_seconds", _GAUGE,
            "The longest delay of the event loop in the last minute.",
            "requests wait for the proxy itself: check the processor, steal time and other programs",
        ),
        Described(
            "statusproxy_store_healthy", _GAUGE,
            "1 if the last write of the state succeeded, 0 if not.",
            "it is 0: changes are not durable; log and /readyz say why",
        ),
        Described(
            "statusproxy_store_failures_total", _COUNTER,
            "Writes of the state that failed.",
            "it increases: the disk is full, or Redis is unreachable",
        ),
        Described(
            "statusproxy_proxies", _GAUGE,
            "With the state in Redis: proxies that share it, this one included.",
            "a proxy is missing",
        ),
        Described(
            "statusproxy_shared_changes_total", _COUNTER,
            "With the state in Redis: sessions' records that other proxies wrote.",
            "proxies show different states",
            {"what": "received, merged (both wrote at once)"},
        ),
        Described(
            "statusproxy_state_damage", _GAUGE,
            "Damage to the stored state that no operator has acknowledged.",
            "it is not 0: statusproxy state show says what was saved",
        ),
        Described(
            "statusproxy_state_repairs_total", _COUNTER,
            "Repairs of the stored state, by the cause.",
            "it increases: another program changes the files of the state, or the disk fails",
            {"cause": "damaged, deleted, replaced"},
        ),
        Described(
            "statusproxy_build_info", _GAUGE,
            "Always 1; the labels are the running versions.",
            "the behaviour changed: was there an upgrade?",
            {"version": "of statusproxy", "python": "of Python"},
        ),
        Described(
            "process_start_time_seconds", _GAUGE,
            "Start time of the process since unix epoch in seconds.",
            "counters fall to 0: was there a restart?",
        ),
        Described(
            "process_cpu_seconds_total", _COUNTER,
            "Total user and system CPU time spent in seconds.",
            "the event loop lags",
        ),
        Described(
            "process_resident_memory_bytes", _GAUGE,
            "Resident memory size in bytes.",
            "the machine runs out of memory",
        ),
        Described(
            "process_virtual_memory_bytes", _GAUGE,
            "Virtual memory size in bytes.",
            "rarely; process_resident_memory_bytes is the memory in use",
        ),
        Described(
            "process_open_fds", _GAUGE,
            "Number of open file descriptors.",
            "it is close to process_max_fds",
        ),
        Described(
            "process_max_fds", _GAUGE,
            "Maximum number of open file descriptors.",
            "like process_open_fds",
        ),
    ),
)  # fmt: skip

#: All metrics, in the order of the docs.
PARTS: Final = (_TRAFFIC, _EVENTS, _SESSIONS, _SPOOL, _ALERTS, _PROCESS)

#: All metrics by name.
METRICS: Final = {metric.name: metric for part in PARTS for metric in part.metrics}
