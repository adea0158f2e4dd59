"""Clients that ask for the list, each request on a connection of its own, until their input ends; prints a summary.

load.py PORT CLIENTS FILE     ends when FILE is there
"""

import http.client
import json
import os
import sys
import threading
import time
from collections import Counter

PAUSE = 0.02


def ask(port: int, file: str, seen: Counter[str], slowest: list[float]) -> None:
    """One client."""
    while not os.path.exists(file):
        began = time.monotonic()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/api/channels", headers={"Connection": "close"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            connection.close()
            shown = "/".join(channel["status"] for channel in body.get("channels", []))
            seen[f"{answer.status} {shown}"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            seen[f"{type(error).__name__}: {error}"] += 1
        slowest[0] = max(slowest[0], time.monotonic() - began)
        time.sleep(PAUSE)


def main(port: int, clients: int, file: str) -> None:
    """All clients."""
    seen: Counter[str] = Counter()
    slowest = [0.0]
    threads = [threading.Thread(target=ask, args=(port, file, seen, slowest)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"seen": seen, "slowest": round(slowest[0], 2)}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
