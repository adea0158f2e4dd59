"""Options that several commands have."""

from pathlib import Path
from typing import Any, Final

import click

config_option: Final = click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="STATUSPROXY_CONFIG",
    help="The configuration file; also set by STATUSPROXY_CONFIG. "
    "[default: ./config.yaml, else /etc/statusproxy/config.yaml]",
)

admin_option: Final = click.option(
    "--admin",
    metavar="URL",
    envvar="STATUSPROXY_ADMIN",
    help="The address of the admin listener. [default: admin.listen of the configuration]",
)

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def session_id(context: click.Context, parameter: click.Parameter, said: Any) -> Any:
    """An id of a session, or several, as given. None is empty, as a script's variable may be."""
    if said == "" or (isinstance(said, tuple) and "" in said):
        raise click.BadParameter("a session's id cannot be empty", context, parameter)
    return said
