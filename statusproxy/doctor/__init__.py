"""The doctor: checks configuration, ports, gateway, webhooks, disk and unit. Each finding has its fix.

Each look is one file under `looks/` and one row of `examination.LOOKS`. Findings hold codes and facts; their words are
under `words/`, one file for each language. The doctor changes nothing.
"""
