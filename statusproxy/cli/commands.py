"""The command `statusproxy` and its commands."""

import click

from statusproxy import __version__
from statusproxy.cli.alerts import alerts
from statusproxy.cli.completing import completion
from statusproxy.cli.first_steps import demo, doctor, init
from statusproxy.cli.health import health
from statusproxy.cli.history import history, uptime
from statusproxy.cli.presets import learn, rehearse
from statusproxy.cli.service import check, run
from statusproxy.cli.sessions import forget, release, sessions
from statusproxy.cli.spool import spool
from statusproxy.cli.state import backup, restore, state
from statusproxy.cli.version import version


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="statusproxy", message="%(prog)s %(version)s")
def main() -> None:
    """Makes a WhatsApp gateway tell the truth about its sessions.

    statusproxy stands in front of the gateway, passes everything through, and corrects the channel list: a session
    whose connection is lost reads "disconnected".
    """


for command in (
    run,
    check,
    demo,
    init,
    doctor,
    health,
    rehearse,
    learn,
    sessions,
    history,
    uptime,
    release,
    forget,
    spool,
    alerts,
    state,
    backup,
    restore,
    completion,
    version,
):
    main.add_command(command)
