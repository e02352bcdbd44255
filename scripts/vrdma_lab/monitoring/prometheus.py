# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""vrdma-exporter and Prometheus as children of the lab, at ports that the kernel chooses."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from vrdma_lab import paths
from vrdma_lab.children import Child
from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import Patience

RULES = paths.SOURCE / "backend" / "exporter" / "vrdma.rules.yml"

_PATIENCE = 60.0
_HTTP_SECONDS = 60.0  # a last resort

# The values of one line of a panel: the time in seconds, and the number.
Points = list[tuple[float, float]]


class _Server:
    """A program that serves HTTP at 127.0.0.1 and logs where."""

    def __init__(self, name: str, command: list[str], folder: Path, address: str) -> None:
        self.child = Child(name, command, folder / f"{name}.log")
        patience = Patience(_PATIENCE)
        while (found := re.search(address, self.child.log.read_text())) is None:
            self.child.check()
            if patience.over:
                raise LabError(f"{name} does not say where it listens, {patience.why()}")
            time.sleep(0.05)
        self.address = f"127.0.0.1:{found[1]}"

    def get(self, path: str) -> str:
        """The answer to a request."""
        url = f"http://{self.address}{path}"
        with urllib.request.urlopen(url, timeout=_HTTP_SECONDS) as answer:
            text: bytes = answer.read()
        return text.decode()

    def stop(self) -> None:
        """Ends the program."""
        self.child.stop(30)


class Exporter(_Server):
    """vrdma-exporter, which asks the daemon at a control socket."""

    def __init__(self, control_socket: Path, folder: Path) -> None:
        words = ["--listen", "127.0.0.1:0", "--socket", str(control_socket)]
        super().__init__(
            "vrdma-exporter",
            [str(paths.exporter()), *words],
            folder,
            r"http://127\.0\.0\.1:(\d+)",
        )

    def metrics(self) -> str:
        """What Prometheus gets."""
        return self.get("/metrics")


class Prometheus(_Server):
    """A Prometheus that asks one exporter each second, and has vrdma's rules."""

    def __init__(self, exporter: Exporter, folder: Path) -> None:
        data = folder / "prometheus"
        data.mkdir()
        scrape = {
            "job_name": "vrdma",
            "scrape_interval": "1s",
            "static_configs": [{"targets": [exporter.address]}],
        }
        configuration = {
            "global": {"evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [scrape],
        }
        # A document of JSON is one of YAML, too (YAML 1.2, 1.2).
        (data / "prometheus.yml").write_text(json.dumps(configuration))
        super().__init__(
            "prometheus",
            [
                str(paths.prometheus("prometheus")),
                f"--config.file={data / 'prometheus.yml'}",
                f"--storage.tsdb.path={data}",
                "--web.listen-address=127.0.0.1:0",
            ],
            folder,
            # It refuses queries until it has read what it has stored.
            r'(?s)msg="Listening on" address=127\.0\.0\.1:(\d+).*Server is ready to receive web',
        )

    def ask(self, method: str, **parameters: str) -> Any:
        """The `data` of an answer of Prometheus' HTTP API (v1)."""
        try:
            answer = self.get(f"/api/v1/{method}?{urllib.parse.urlencode(parameters)}")
        except urllib.error.HTTPError as error:
            raise LabError(f"Prometheus refuses {parameters}: {error.read().decode()}") from None
        return json.loads(answer)["data"]

    def lines(self, expression: str, seconds: float) -> list[tuple[dict[str, str], Points]]:
        """What an expression had in the last seconds, with the labels of each line."""
        now = time.time()
        found = self.ask(
            "query_range", query=expression, start=str(now - seconds), end=str(now), step="1"
        )
        return [
            (line["metric"], [(float(when), float(value)) for when, value in line["values"]])
            for line in found["result"]
        ]

    def firing(self) -> set[str]:
        """The names of the alerts that are on."""
        alerts = self.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
