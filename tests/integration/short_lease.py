"""The command statusproxy with claims that last as long as the first argument says, in seconds, for quicker tests."""

import sys
from functools import partial

import statusproxy.store.redis as store
from statusproxy.__main__ import main

if __name__ == "__main__":
    store.RedisTiming = partial(store.RedisTiming, lease=float(sys.argv.pop(1)))  # type: ignore[assignment,misc]
    main()
