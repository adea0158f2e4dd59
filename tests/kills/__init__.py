"""The crash proof: proxies, gateway and Redis are killed in random order under a load of webhooks through a spool.

`python -m tests.kills [--kills N] [--seed N] [--proxy BIN] [--store redis]`, or `make kills`. Whatever was answered by
a success was delivered in its session's order, or stands in the spool; no state that was acknowledged is forgotten, and
all proxies agree; nothing arrives that was never sent.

| module | what lives there |
| --- | --- |
| `ledger` | a gateway that writes down what it gets before it answers, and can be killed at any moment |
| `sender` | an engine that posts one session's events, each once, and knows how each was answered |
| `verdict` | what must hold of all that was sent and all that arrived |
| `shown` | what proxies show of themselves, and whether they agree |
| `run` | one proxy with SQLite, gateway, senders and kills together |
| `shared` | several proxies on one Redis, which is killed as well |
| `disturbed` | Redis emptied, cut off and stopped, a proxy stopped, under load |
| `result` | what a run gave; the closing table |
"""
