"""axe-core, run in the page as it is."""

import json
from pathlib import Path

import pytest
from selenium import webdriver

_AXE = Path(__file__).parents[1] / "peers" / "node_modules" / "axe-core" / "axe.min.js"


def axe(browser: webdriver.Chrome) -> list[str]:
    """What axe-core finds wrong with the page as it is now: each rule, with the elements that break it."""
    if not _AXE.exists():
        pytest.skip("axe-core is missing: bash tests/install-peers.sh")
    script = _AXE.read_text("utf-8") + (
        "; const done = arguments[arguments.length - 1];"
        "axe.run(document, { resultTypes: ['violations'] }).then((found) => done(JSON.stringify(found.violations)),"
        " (error) => done(JSON.stringify([{ id: String(error), nodes: [] }])));"
    )
    violations = json.loads(browser.execute_async_script(script))
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in violations]
