"""The fault suite: each input that once stopped the proxy, repeated from outside against a running one.

`python -m tests.faults --list` names the faults, `python -m tests.faults NAME` runs one. A fault starts the program
under test as a process with a configuration of its own, attacks it from another process, and measures meanwhile how
long an ordinary client waits. The verdict is a ratio to the same client's waiting time without the attack.

| module | what lives there |
| --- | --- |
| `fault` | what a fault is, and what running it gives |
| `catalogue` | all faults, in the order of their items |
| `carried_state`, `large_work`, `held_places`, `descriptors`, `cut_short`, `nothing_lost` | the faults |
| `stage` | what a fault works with: proxy, gateway, probe, attack, checks |
| `program` | the proxy as a process, its memory and its descriptors |
| `gateway`, `scenes` | the stand-in gateway, and what it answers |
| `probe`, `waits` | the ordinary client, and its waiting times |
| `attacks`, `worker` | what attackers send, each in a process of its own |
| `wire` | a small blocking HTTP client that hides nothing |
| `tables` | results as tables for people and for `docs/reliability.md` |
"""
