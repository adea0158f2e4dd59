"""`python -m statusproxy`: the same as the command `statusproxy`."""

from statusproxy.cli import main

main()
