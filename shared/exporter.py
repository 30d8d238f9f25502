"""`python -m shared.exporter`: serves the metrics of a machine that has workers but no web.

On a machine with a web process, use its /metrics. Both read PRESSROOM_METRICS_DIR.
"""

import argparse
import threading

from prometheus_client import CollectorRegistry, start_http_server

from shared import metrics
from shared.config import read_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9808)
    options = parser.parse_args()
    settings = read_settings()
    if settings.metrics_dir is None:
        parser.error("PRESSROOM_METRICS_DIR is not set: there are no metrics to serve")
    registry = CollectorRegistry()
    registry.register(metrics.make_collector(settings.metrics_dir))
    start_http_server(options.port, addr=options.address, registry=registry)
    threading.Event().wait()


if __name__ == "__main__":
    main()
