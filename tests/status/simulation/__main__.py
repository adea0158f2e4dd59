"""`make simulate`: many schedules of many proxies, from a seed on."""

import sys

from .runs import main

sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))
