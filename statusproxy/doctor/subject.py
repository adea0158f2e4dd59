"""The site under examination: its settings, and what the looks have learned of it so far."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from statusproxy.admin.messages import SelfReport, Sessions
from statusproxy.config.guidance import guidance
from statusproxy.config.settings import Settings
from statusproxy.doctor.asking import Credentials
from statusproxy.doctor.paste import Written
from statusproxy.systemd import with_state_directory


@dataclass
class Subject:
    """One site under examination. The looks read it; three of them add what later looks need."""

    settings: Settings
    source: Path | None = None
    """The configuration file; None where the defaults serve."""
    environ: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    admin: str | None = None
    """The admin listener, where it is not the one of the settings."""
    send: bool = False
    """Whether a test message is sent to each target of alerts."""
    run: Callable[..., Awaitable[str | None]] | None = None
    """Runs a program for the look at systemd's unit; None: `looks.service.run`."""
    booted: bool | None = None
    """Whether systemd runs this machine; None: look."""

    # What looks have learned
    report: SelfReport | None = None
    """The running proxy's report on itself (`looks.running`); None where it could not be asked."""
    sessions: Sessions | None = None
    """The running proxy's report on its sessions (`looks.running`); None where it could not be asked."""
    nothing_runs: bool = False
    """No program answers at the address of the settings' admin listener (`looks.running`)."""
    serves_unasked: bool = False
    """A statusproxy serves an address of `listen`, but could not be asked with this file (`looks.running`)."""
    gateway_answers: bool | None = None
    """Whether the gateway answers (`looks.gateway`); None where it could not be asked."""

    def __post_init__(self) -> None:
        self.written = Written.read(self.source)
        """What the configuration file says, as it is written."""
        self.guidance = guidance(self.settings, self.environ)
        """What the preset says of its gateway."""

    @property
    def store_works(self) -> bool:
        """Whether a running proxy's store takes writes."""
        return self.report is not None and self.report.health.store == "ok"

    @property
    def service_environ(self) -> Mapping[str, str]:
        """The environment in which the service finds its state."""
        return with_state_directory(self.environ, self.source)
