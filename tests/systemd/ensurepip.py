"""What stands in the machines in place of `python3 -m ensurepip`, which `python3 -m venv` runs: the same pip, quicker.

Debian's own has filled one environment, when the root was made. Each further one gets the same files, as links. To
unpack and compile pip again takes half the processor time of an installation.
"""

import os
import shutil
import sys
from pathlib import Path

READY = Path("/var/cache/ensurepip")


def place(ready: str, new: str) -> None:
    """The same file by another name; a copy for a user without rights, who may not link to root's."""
    try:
        os.link(ready, new)
    except PermissionError:
        shutil.copy2(ready, new)


def main() -> None:
    """Fill the environment whose Python runs this."""
    shutil.copytree(READY / "lib", Path(sys.prefix, "lib"), copy_function=place, dirs_exist_ok=True)
    for command in READY.glob("bin/pip*"):
        copied = Path(sys.prefix, "bin", command.name)
        copied.write_text(command.read_text().replace(str(READY), sys.prefix))
        copied.chmod(0o755)


if __name__ == "__main__":
    main()
