"""The entry point of `statusproxy` and `python -m statusproxy`. For `run` it blocks SIGHUP until the service is up."""

import signal
import sys


def main() -> None:
    """Run the command line.

    SIGHUP kills a process that has no handler for it yet, and importing takes most of a start. So `run` blocks the
    signal first: the kernel holds it until the service is up, which then reloads.
    """
    if sys.argv[1:2] == ["run"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from statusproxy.cli import commands

    commands.main()


if __name__ == "__main__":
    main()
