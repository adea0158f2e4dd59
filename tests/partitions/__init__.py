"""Partitions: two proxies on hosts of their own, and the cables between them and what they share are pulled.

Each host is a network namespace (Linux, root), so that packets vanish as on a real network: no reset, no refusal. The
machine's own network is not touched, and everything is gone with the processes that hold it.

| module | what lives there |
| --- | --- |
| `network` | hosts, switches and cables of network namespaces |
| `ahead` | the program on a host whose clock is ahead |
| `gateway` | a stand-in gateway on one of the hosts |
| `place` | two proxies, Redis and the gateway, cabled; what an engine and a hub ask of them |
"""
