"""The command `statusproxy`: which commands it has. The module of a command is imported when the command is used."""

from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from statusproxy import __version__

_COMMANDS: Final = MappingProxyType(
    {
        "alerts": "alerts",
        "backup": "state",
        "check": "service",
        "completion": "completing",
        "demo": "first_steps",
        "doctor": "first_steps",
        "forget": "sessions",
        "health": "health",
        "history": "history",
        "init": "first_steps",
        "learn": "presets",
        "release": "sessions",
        "restore": "state",
        "run": "service",
        "sessions": "sessions",
        "spool": "spool",
        "state": "state",
        "try": "presets",
        "uptime": "history",
        "version": "version",
    }
)
"""The module of each command, in this folder. Its function has the same name, but for `try`, which is a keyword."""

_FUNCTIONS: Final = MappingProxyType({"try": "rehearse"})


class Commands(click.Group):
    """A group that imports a command's module when the command is asked for.

    The service (`run`) needs no other command, and would import what they need: 20 ms of its start.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Called by click: the names of all commands, in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Called by click: the command of this name; None if there is none."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f"statusproxy.cli.{module}"), _FUNCTIONS.get(cmd_name, cmd_name))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Called by click: the command that the arguments name. click itself suggests only what is imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="statusproxy", message="%(prog)s %(version)s")
def main() -> None:
    """Makes a WhatsApp gateway tell the truth about its sessions.

    statusproxy stands in front of the gateway, passes everything through, and corrects the channel list: a session
    whose connection is lost reads "disconnected".
    """
