"""The settings of a command, or one line about what is wrong with them."""

from collections.abc import Callable

from statusproxy.cli.output import EXIT_CONFIG, fail
from statusproxy.config.errors import ConfigError
from statusproxy.config.settings import OR_GATEWAY, Settings


def read_settings(read: Callable[[], Settings], instead: str = OR_GATEWAY) -> Settings:
    """The settings; `instead` ends an error for a command that has no option `--gateway`."""
    try:
        return read()
    except ConfigError as error:
        text = str(error)
        if text.endswith(OR_GATEWAY):
            text = text.removesuffix(OR_GATEWAY) + instead
        fail(text, EXIT_CONFIG)
