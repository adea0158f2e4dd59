"""An engine as far as the runbook needs one: a contact of `sales` comes, goes and writes all the time.

The webhook goes to the URL in WEBHOOK_URL, once, whatever becomes of it.
"""

import contextlib
import itertools
import json
import os
import time
import urllib.request

for serial in itertools.count():
    event = {
        "event": "onpresencechanged",
        "session": "sales",
        "id": "5500000000000@c.us",
        "isOnline": bool(serial % 2),
        "state": "available" if serial % 2 else "unavailable",
        "t": int(time.time() * 1000),
    }
    if serial % 10 == 0:
        event = {"event": "onmessage", "session": "sales", "id": f"false_5500000000000@c.us_{serial}", "fromMe": False}
    request = urllib.request.Request(
        os.environ["WEBHOOK_URL"], json.dumps(event).encode(), {"Content-Type": "application/json"}
    )
    with contextlib.suppress(OSError):
        urllib.request.urlopen(request, timeout=5).read()
    time.sleep(0.2)
