"""The soak: minutes of mixed, seeded traffic through a real proxy, every byte of it checked.

`python -m tests.soak [--seconds N] [--seed N] [--proxy BIN]`, or `make soak`. Walkers are clients that do one thing
after another, each drawn by chance: lists, webhooks, uploads, downloads of sizes around every buffer's limit,
WebSockets, pipelining, half requests, broken-off ones on both sides; meanwhile the configuration is reloaded.

| module | what lives there |
| --- | --- |
| `walker` | one client and what it does |
| `account` | what was asked, answered and delivered; what was wrong |
| `flatness` | whether memory and descriptors stay where they are |
| `run` | proxy, gateway, walkers and reloads together; the closing table |
"""
