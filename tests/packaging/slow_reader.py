"""A client that reads an answer slowly until it is told to read on: a request that is under way for as long as needed.

Prints `begun` once the answer has begun; a line on standard input is the word to read on. Then the number of bytes.
"""

import select
import sys
import urllib.request

with urllib.request.urlopen(sys.argv[1]) as answer:
    count = len(answer.read(1))
    print("begun", flush=True)  # noqa: T201
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        count += len(answer.read(1000))
    while chunk := answer.read(1 << 20):
        count += len(chunk)
print(count, flush=True)  # noqa: T201
