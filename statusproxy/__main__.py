"""The command `statusproxy`, and `python -m statusproxy`: a start of the service holds SIGHUP from its first line."""

import signal
import sys


def main() -> None:
    """Run the command line.

    SIGHUP ends a process that has not said what it wants with it, and importing takes most of a start. So for `run`
    the kernel holds the signal until the service is up; then it reloads.
    """
    if sys.argv[1:2] == ["run"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from statusproxy import cli

    cli.main()


if __name__ == "__main__":
    main()
