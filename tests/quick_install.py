"""Installs packages as pip would, with uv, which takes a quarter of the time, or with pip, where uv cannot do the same.

Run by `make`, with the Python of the environment to install into, and with the arguments of `pip install`.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

#: Options of pip's configuration, and the variables by which uv is told the same. uv does not read that configuration.
_TOLD_TO_UV: Final = {
    "cert": "SSL_CERT_FILE",
    "constraint": "UV_CONSTRAINT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "timeout": "UV_HTTP_TIMEOUT",
}

#: Options that change nothing about what is installed into an environment, nor where it is from.
_WITHOUT_MEANING: Final = frozenset(
    {
        "break-system-packages",
        "cache-dir",
        "config-file",
        "disable-pip-version-check",
        "log",
        "no-cache-dir",
        "no-color",
        "no-compile",
        "no-input",
        "no-python-version-warning",
        "no-warn-script-location",
        "progress-bar",
        "quiet",
        "require-virtualenv",
        "retries",
        "root-user-action",
        "verbose",
    }
)

#: What holds for `pip install`: a later one overrides those before.
_SECTIONS: Final = ("global", "install", ":env:")


def options(listed: str) -> dict[str, str]:
    """The options that hold for `pip install`, of what `pip config list` printed."""
    lines = re.findall(r"^([\w:-]+)\.([\w-]+)=(.*)$", listed, re.MULTILINE)
    return {
        option: str(ast.literal_eval(value)) for section in _SECTIONS for of, option, value in lines if of == section
    }


def uv_variables(configured: Mapping[str, str]) -> dict[str, str] | None:
    """What tells uv to install as pip is configured to; None where it cannot be told all.

    As pip does, uv trusts the system's certificates then, and takes the same version from whichever index has it.
    """
    if not configured.keys() <= _TOLD_TO_UV.keys() | _WITHOUT_MEANING:
        return None
    told = {
        _TOLD_TO_UV[option]: ("," if option == "find-links" else " ").join(value.split())
        for option, value in configured.items()
        if option in _TOLD_TO_UV
    }
    return {"UV_SYSTEM_CERTS": "1", "UV_INDEX_STRATEGY": "unsafe-best-match", **told}


def main(arguments: list[str]) -> int:
    """Install; gives the exit code."""
    pip = [sys.executable, "-m", "pip"]
    listed = subprocess.run([*pip, "config", "list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    variables = uv_variables(options(listed))
    if variables is not None:
        uv = [sys.executable, "-m", "uv", "--no-cache", "pip", "install", "--python", sys.executable, *arguments]
        if subprocess.run(uv, env={**os.environ, **variables}, check=False).returncode == 0:
            return 0
        sys.stderr.write("uv could not; pip tries now\n")
    return subprocess.run([*pip, "install", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
