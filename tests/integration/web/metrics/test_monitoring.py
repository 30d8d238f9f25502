"""The dashboard and the alerts: valid, and about figures that /metrics really has."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.metrics import MetricWrapperBase

from local.child import ROOT
from local.ports import free_port
from shared import metrics
from tests.servers.api import Api
from tests.timing.patience import wait_until

FOLDER = ROOT / "docs" / "monitoring"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
QUERIES = {
    f"panel {panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
QUERIES |= {f"alert {rule['alert']}": rule["expr"] for rule in RULES}
NAME = re.compile(r"\bpressroom_\w+")
MATCHED = re.compile(r"\b(pressroom_\w+)\{([^}]*)\}")


def known(api: Api) -> dict[str, set[str]]:
    """Each figure's name as Prometheus stores it, with its labels."""
    found: dict[str, set[str]] = {}
    for figure in metrics.COUNTED._collector_to_names:
        assert isinstance(figure, MetricWrapperBase)
        labels = set(figure._labelnames)
        for name in metrics.COUNTED._collector_to_names[figure]:
            found[name] = labels | ({"le"} if name.endswith("_bucket") else set())
    text = api.get("/metrics", key=None).text
    for name in re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE):
        sample = re.search(rf"^{name}\{{(\w+)=", text, re.MULTILINE)
        found[name] = {sample[1]} if sample else set()
    return found


@pytest.mark.parametrize("where", QUERIES)
def test_a_query_is_about_figures_that_exist(bare_api: Api, where: str) -> None:
    figures = known(bare_api)
    names = NAME.findall(QUERIES[where])
    assert names
    assert [name for name in names if name not in figures] == []
    for name, matchers in MATCHED.findall(QUERIES[where]):
        assert set(re.findall(r"(\w+)=", matchers)) <= figures[name], where
    assert QUERIES[where].count("(") == QUERIES[where].count(")")


def test_a_machine_of_workers_alone_is_asked_by_its_exporter(tmp_path: Path) -> None:
    port = free_port()
    environ = {**os.environ, "PRESSROOM_METRICS_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "shared.exporter", "--port", str(port)]
    exporter = subprocess.Popen(command, cwd=ROOT, env=environ)
    count = "from pathlib import Path; from shared import metrics as m; "
    count += f"m.use_folder(Path({str(tmp_path)!r})); m.ORPHANS_DELETED.labels('abandoned').inc(7)"
    try:
        subprocess.run([sys.executable, "-c", count], cwd=ROOT, check=True)
        wait_until(lambda: "removed_total" in _shown(port))
        assert 'pressroom_litter_removed_total{kind="abandoned"} 7.0' in _shown(port)
    finally:
        exporter.terminate()
        exporter.wait()


def _shown(port: int) -> str:
    try:
        return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=120).text
    except requests.ConnectionError:
        return ""


def test_every_figure_is_shown(bare_api: Api) -> None:
    shown = set(NAME.findall(json.dumps(DASHBOARD)))
    base = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in shown}
    missing = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in known(bare_api)}
    missing -= base | {"pressroom_database_up", "pressroom_broker_up"}
    assert missing == set()


def test_each_alert_says_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) <= 10
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


def test_panels_lie_beside_each_other_and_name_their_source() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}


def test_the_example_finds_the_rules() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert all((FOLDER / name).exists() for name in config["rule_files"])
