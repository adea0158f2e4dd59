"""Places of a configuration file, made from a line of YAML, for the tests of what reads them."""

from typing import Any

import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.forms import Form
from statusproxy.config.spot import Spot
from statusproxy.config.yaml_tree import parse


def spot(written: str, **environ: str) -> Spot:
    """The place of `key: written`."""
    mark, root = parse(f"key: {written}", "c.yaml", environ)
    return Spot(root, "", mark).entries("a mapping")["key"]


def refused(form: Form[Any], written: str, **environ: str) -> str:
    """The error of a form about `key: written`, without the place where it has no further key."""
    with pytest.raises(ConfigError) as caught:
        form.read(spot(written, **environ))
    return str(caught.value).removeprefix("c.yaml:1: key: ")
