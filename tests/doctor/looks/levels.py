"""Findings as a table, for the tests of the looks."""

from statusproxy.doctor.findings import Finding


def levels(findings: list[Finding]) -> dict[str, str]:
    """The level of each finding, by its code without the group; of several with one code, the last."""
    return {finding.code.partition(".")[2]: finding.level.value for finding in findings}
