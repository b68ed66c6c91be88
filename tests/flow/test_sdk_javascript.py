# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own JavaScript SDK: sdk.mjs holds the checks."""
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).with_name("sdk.mjs")


def test_javascript_sdk(sim, gateway):
    sims = [sim(tokens=6, chunk_tokens=1) for _ in range(2)]
    gw = gateway(*sims, max_retries=0, circuit_breaker_threshold=1000)
    done = subprocess.run(["node", SCRIPT, gw.url], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == SCRIPT.read_text().count("\n  async ")
    for s in sims:  # the aborted stream has been given up there too
        s.wait_state(in_flight=0)
