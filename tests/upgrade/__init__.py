"""A rolling upgrade under load, with two real versions that share one map.

`python -m tests.upgrade BEFORE`, or `make upgrade BEFORE=…`: a checkout with its `.venv`, or a revision of this one.
Two proxies of the version before stand behind nginx as docs/two-proxies.md has it. Each in turn is upgraded, then taken
back and upgraded again, while clients ask and events come: no request is refused, no event is lost, both know the same,
and what a version does not know of a row survives its writes.

| module | what lives there |
| --- | --- |
| `version` | a version of the program, from a checkout or a revision |
| `run` | two proxies, nginx, Redis, the load, and the upgrade |
"""
