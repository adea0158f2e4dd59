"""The one word for how a session stands, by what the channel list shows of it."""

from enum import StrEnum


class SessionState(StrEnum):
    """How a session stands. Each session of the gateway's last list, and each that events told of, is in just one."""

    LOST = "lost"
    """A correction is in force: the gateway's own word would be wrong."""
    REPORTED_DOWN = "reported_down"
    """The gateway itself says that it is not connected."""
    NEEDS_QR = "needs_qr"
    """The gateway itself says that it waits for a scan, or starts."""
    CONNECTED = "connected"
    """The gateway says connected, and nothing speaks against it."""
    UNKNOWN = "unknown"
    """The gateway has said nothing of it since the start, and no event told that it is connected."""
