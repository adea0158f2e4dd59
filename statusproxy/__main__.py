"""The entry point of `statusproxy` and `python -m statusproxy`. For `run` it blocks SIGHUP until the service is up."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Names the file of trusted certificates that OpenSSL reads instead of the system's.
_CERTIFICATES: Final = "SSL_CERT_FILE"


def main() -> None:
    """Run the command line.

    SIGHUP kills a process that has no handler for it yet, and importing takes most of a start. So `run` blocks the
    signal first: the kernel holds it until the service is up, which then reloads.
    """
    serving = sys.argv[1:2] == ["run"]
    if serving:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    # Modules are never freed. Searching them for garbage repeatedly would take a seventh of the start.
    gc.disable()
    from statusproxy.cli import commands

    if serving:
        with _without_certificates():
            import statusproxy.server  # noqa: F401 - here, while nothing is collected
        from statusproxy import allocator
        from statusproxy.proxy import decoders

        decoders.preload()
        allocator.keep_freed_memory(os.environ)
    gc.freeze()
    gc.enable()
    commands.main()


@contextmanager
def _without_certificates() -> Iterator[None]:
    """Have OpenSSL read no file of trusted certificates meanwhile.

    aiohttp reads the system's file twice when it is imported, for requests of its client to `https:`: a fifth of a
    start, and 2 MiB. The service makes such requests for alerts only, which have a context of their own
    (`alerts.http_client`), as an `https:` gateway has (`tls`). Nothing else runs yet that could see the variable.
    """
    before = os.environ.get(_CERTIFICATES)
    os.environ[_CERTIFICATES] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CERTIFICATES]
        else:
            os.environ[_CERTIFICATES] = before


if __name__ == "__main__":
    main()
