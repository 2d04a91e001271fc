"""Listens to sites/eventstream_site.py with several clients while events are sent; prints them."""

import concurrent.futures
import sys
import threading

import httpx

base = sys.argv[1]
TEXTS = [("one", 1), ("zwei é", 2), ("x", 50_000)]
LISTENERS = 5


def listen(channel: str, opened: threading.Barrier) -> list[str]:
    lines = []
    with httpx.stream("GET", f"{base}/events/{channel}/", timeout=30) as response:
        lines.append(f"{response.status_code} {response.headers['content-type']}")
        is_open = False
        for line in response.iter_lines():
            if line and not line.startswith(("id:", ":")):
                lines.append(line)
            if line == "event: stream-open" and not is_open:
                is_open = True
                opened.wait(20)
            if sum(line.startswith("data: {") for line in lines) == len(TEXTS):
                return lines
    return lines


for channel in ("a", "b"):
    opened = threading.Barrier(LISTENERS + 1)
    with concurrent.futures.ThreadPoolExecutor(LISTENERS) as pool:
        listening = [pool.submit(listen, channel, opened) for _ in range(LISTENERS)]
        opened.wait(20)
        for text, times in TEXTS:
            params = {"channel": channel, "text": text, "times": times}
            answer = httpx.get(f"{base}/send/", params=params)
            print(answer.status_code, answer.text)
        for each in listening:
            print(each.result(30))
print(httpx.get(f"{base}/nowhere/").status_code)
