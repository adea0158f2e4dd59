"""Clients that ask for the list, each request on a connection of its own, until their input ends; prints a summary.

load.py PORT CLIENTS FILE [PATTERN]     ends when FILE is there

Until a path of the PATTERN is there, each client asks only once a second: what happens before that does not touch the
service, and clients at full speed would only take the processor from it.
"""

import glob
import http.client
import json
import os
import sys
import threading
import time
from collections import Counter

#: Seconds between a client's requests. The shortest restart takes half a second: each client asks several times in it.
PAUSE, LONG_PAUSE = 0.1, 1.0


def ask(port: int, file: str, pattern: str, seen: Counter[str], slowest: list[float]) -> None:
    """One client."""
    waiting = bool(pattern)
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
        end = began + LONG_PAUSE
        while waiting := waiting and not glob.glob(pattern):
            if time.monotonic() >= end:
                break
            time.sleep(PAUSE)
        else:
            time.sleep(PAUSE)


def main(port: int, clients: int, file: str, pattern: str = "") -> None:
    """All clients."""
    seen: Counter[str] = Counter()
    slowest = [0.0]
    threads = [threading.Thread(target=ask, args=(port, file, pattern, seen, slowest)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"seen": seen, "slowest": round(slowest[0], 2)}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
