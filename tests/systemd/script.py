"""The Python scripts beside install.sh, as modules."""

import importlib.util
from types import ModuleType

from tests.systemd.roots import CHECKOUT


def script(name: str) -> ModuleType:
    """The script `systemd/NAME.py`."""
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / "systemd" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
