"""One GiB down and up, through statusproxy and through nginx: bytes a second, and what it costs in memory."""

import subprocess
import time
from pathlib import Path

from benchmarks.fleet import GIBIBYTE, Fleet, Proxy
from benchmarks.processes import cores, program
from benchmarks.results import Finding, Goal, Median, Section

_HALF = Goal("≥ 0.5 × nginx", 0.5)
_GROWTH = Goal("< 16 MiB", 16.0, at_least=False)


def _transfer(proxy: Proxy, way: str, file: Path) -> tuple[float, float]:
    """MiB a second, and MiB by which resident memory rose at its peak."""
    curl = program("curl")
    assert curl is not None
    proxy.process.forget_peak()
    before = proxy.process.memory()
    base = f"http://127.0.0.1:{proxy.port}"
    asked = (
        [f"{base}/large"]
        if way == "down"
        else ["-X", "POST", "-H", "Expect:", "-H", "Content-Type: x/y", "-T", str(file), f"{base}/upload"]
    )
    command = [program("taskset") or "taskset", "-c", cores()[1], curl, "-sS", "--fail", "-o", "/dev/null", *asked]
    begun = time.perf_counter()
    subprocess.run(command, check=True, timeout=120)
    elapsed = time.perf_counter() - begun
    return GIBIBYTE / 1024**2 / elapsed, proxy.process.memory("VmHWM") - before


def _both(fleet: Fleet) -> list[Proxy]:
    return fleet.has("statusproxy", "nginx")


def measure(fleet: Fleet, *, turns: int) -> tuple[Section, list[Finding]]:
    """Both ways, both proxies, in turn."""
    section = Section(
        "1 GiB down and up",
        "One curl, one stream; growth is the peak of resident memory above what it was before.",
        ["way", "proxy", "MiB/s", "growth, MiB", "against nginx"],
    )
    findings = []
    # From here on the kernel holds the file; the growth of the very first transfer counts all the same.
    first = {proxy.name: _transfer(proxy, "down", fleet.folder / "www/large")[1] for proxy in _both(fleet)}
    for way in ("down", "up"):
        if way == "up" and not fleet.differs:
            continue
        rates: dict[str, list[float]] = {}
        growths = {name: [growth] if way == "down" else [] for name, growth in first.items()}
        for _ in range(turns):
            for proxy in _both(fleet):
                rate, growth = _transfer(proxy, way, fleet.folder / "www/large")
                rates.setdefault(proxy.name, []).append(rate)
                growths[proxy.name].append(growth)
        ratio = Median.of_ratios(rates["statusproxy"], rates["nginx"])
        for name, seen in rates.items():
            against = ratio.text("×", 2) if name == "statusproxy" else ""
            section.rows.append([way, name, Median.of(seen).text(), f"{max(growths[name]):.1f}", against])
        worst = max(growths["statusproxy"])
        speed = Median.of(rates["statusproxy"]).text("MiB/s")
        behind = f"{ratio.text('×', 2)} nginx"
        findings.append(Finding(f"1 GiB {way}", speed, behind, _HALF.text, _HALF.verdict(ratio.value)))
        findings.append(
            Finding(f"1 GiB {way}, memory growth", f"{worst:.1f} MiB", "", _GROWTH.text, _GROWTH.verdict(worst))
        )
    return section, findings
