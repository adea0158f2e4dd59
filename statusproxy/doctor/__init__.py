"""Is everything in place? Looks at configuration, ports, gateway, webhooks, disk and unit, each finding with its fix.

Checks are plain functions from what they need to findings, one module for each group. Findings hold codes and facts;
their words, in two languages, stand in `english` and `portuguese`. Nothing here changes anything.
"""
