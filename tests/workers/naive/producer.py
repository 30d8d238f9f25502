"""Puts posts into a queue: `python -m tests.workers.naive.producer celery_tasks`, led by lines.

A line is JSON: a list of the address and the content of each post. It is answered with `done`.
"""

import importlib
import json
import sys


def main(module: str) -> None:
    tasks = importlib.import_module(f"tests.workers.naive.{module}")
    print("ready", flush=True)
    for line in sys.stdin:
        tasks.enqueue_posts(json.loads(line))
        print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
