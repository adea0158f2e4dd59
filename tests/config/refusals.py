"""A configuration that is refused: the message, for the tests of what refuses it."""

import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import loads

GATEWAY = "gateway: http://gw.example:3000\n"
"""The one key without a default, for a first line."""


def refused(text: str, **environ: str) -> str:
    """The error about this text of a configuration file."""
    with pytest.raises(ConfigError) as caught:
        loads(text, environ)
    return str(caught.value)
