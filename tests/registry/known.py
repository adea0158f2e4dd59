"""What a registry knows of each session now, in the system's time."""

from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.model import Record


def records_of(registry: SessionRegistry) -> list[Record]:
    """Every record, after what time brings by now."""
    registry.judge()
    return [registry.in_system_time(record) for record in registry.sessions.records()]
