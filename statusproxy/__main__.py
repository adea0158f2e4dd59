"""The entry point of `statusproxy` and `python -m statusproxy`. For `run` it blocks SIGHUP until the service is up."""

import gc
import signal
import sys


def main() -> None:
    """Run the command line.

    SIGHUP kills a process that has no handler for it yet, and importing takes most of a start. So `run` blocks the
    signal first: the kernel holds it until the service is up, which then reloads.
    """
    serving = sys.argv[1:2] == ["run"]
    if serving:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    # Modules are there to stay. Looking for garbage among them, again and again, takes a seventh of a start.
    gc.disable()
    from statusproxy.cli import commands

    if serving:
        import statusproxy.server  # noqa: F401 - here, while nothing is collected
        from statusproxy.proxy import decoders

        decoders.preload()
    gc.freeze()
    gc.enable()
    commands.main()


if __name__ == "__main__":
    main()
