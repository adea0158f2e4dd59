"""The crash proof: proxy and gateway are killed in random order under a load of webhooks through the spool.

`python -m tests.kills [--kills N] [--seed N] [--proxy BIN]`, or `make kills`. Whatever was answered with a success was
delivered in its session's order, or stands in the spool; no state that was acknowledged is forgotten; nothing arrives
that was never sent.

| module | what lives there |
| --- | --- |
| `ledger` | a gateway that writes down what it gets before it answers, and can be killed at any moment |
| `sender` | an engine that posts one session's events, each once, and knows how each was answered |
| `verdict` | what must hold of all that was sent and all that arrived |
| `run` | proxy, gateway, senders and kills together; the closing table |
"""
