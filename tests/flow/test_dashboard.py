# SPDX-License-Identifier: Apache-2.0
"""contrib/grafana/fairlead.json: its expressions are PromQL, and ask for what /metrics has."""
import json
import re
import subprocess
from pathlib import Path

import pytest
from programs import wait_for
from prometheus_client.parser import text_string_to_metric_families

FILE = Path(__file__).parents[2] / "contrib" / "grafana" / "fairlead.json"
SELECTOR = re.compile(r"\b((?:fairlead|mindbalancer)_\w+)(?:\{([^}]*)\})?")


@pytest.fixture(scope="module")
def dashboard():
    return json.loads(FILE.read_text())


def expressions(dashboard):
    """Of panels and variables."""
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"]).group(1)


def test_it_is_a_dashboard(dashboard):
    assert dashboard["schemaVersion"] >= 39 and dashboard["id"] is None
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        assert grid["x"] + grid["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert "datasource" in {v["name"] for v in dashboard["templating"]["list"] if v["type"] == "datasource"}
    used = set(re.findall(r"\$(\w+)", " ".join(expressions(dashboard)))) - {"__rate_interval"}
    assert used == {v["name"] for v in dashboard["templating"]["list"]} - {"datasource"}


def test_its_expressions_are_promql(dashboard, tmp_path):
    """promtool reads them as the expressions of rules."""
    rules = [{"record": f"panel:{i}", "expr": e.replace("$__rate_interval", "5m")}
             for i, e in enumerate(expressions(dashboard))]
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML too
    checked = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_asks_for_metrics_that_exist(dashboard, sim, gateway):
    """Every name, with labels that the metric has."""
    gw = gateway(sim())
    for _ in range(2):
        assert gw.chat(temperature=0).status_code == 200
    wait_for(lambda: gw.metric("fairlead_requests_total", code="2xx", server="s0") >= 1)
    labels, families = {}, set()
    for family in text_string_to_metric_families(gw.metrics()):
        families |= {family.name, family.name + "_total"} if family.type == "counter" else {family.name}
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    asked = 0
    for expression in expressions(dashboard):
        for name, matchers in SELECTOR.findall(expression):
            asked += 1
            family = re.sub(r"_bucket$", "", name)
            assert family in families, f"{name}: no such metric"
            assert set(re.findall(r"(\w+)=~?\"", matchers)) <= labels.get(name, set()), expression
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        known = set().union(*(labels.get(name, set()) for name, _ in SELECTOR.findall(expression)))
        assert grouped <= known, expression
    assert asked > 40
