"""Reads PromQL: which metrics and labels a query asks for, and which of them do not exist."""

import re
from collections.abc import Iterator

from promql_parser import AggregateExpr, BinaryExpr, Expr, MatchOp, VectorSelector, parse, walk

from statusproxy.observe.catalogue import METRICS, Kind
from statusproxy.observe.exchange_report import RouteKind
from statusproxy.status.session_state import SessionState

#: Labels that Prometheus adds to every series.
_TARGET = frozenset({"job", "instance"})

#: Series that Prometheus makes itself.
_PROMETHEUS = {"up": _TARGET, "ALERTS": _TARGET | {"alertname", "alertstate", "severity", "session"}}

_SUFFIXES = re.compile(r"_(bucket|sum|count)$")

_PARTS = ("request", "gateway", "own")

#: The values of labels that are closed sets.
_VALUES = {
    ("statusproxy_session_state", "state"): {*SessionState},
    **{(f"statusproxy_{name}_seconds", "route"): {kind.name.lower() for kind in RouteKind} for name in _PARTS},
}


def labels_of(metric: str) -> frozenset[str] | None:
    """The labels that a series of this name has; None where the proxy exposes no such series."""
    if metric in _PROMETHEUS:
        return _PROMETHEUS[metric]
    base = _SUFFIXES.sub("", metric)
    if base != metric and base in METRICS and METRICS[base].kind is Kind.HISTOGRAM:
        more = {"le"} if metric.endswith("_bucket") else set()
        return _TARGET | set(METRICS[base].labels) | more
    described = METRICS.get(metric)
    if described is None or described.kind is Kind.HISTOGRAM:
        return None
    return _TARGET | set(described.labels)


def metrics_of(query: str) -> list[str]:
    """The metrics that a query asks for, a histogram's by its own name; twice where it asks for one twice."""
    names = [selector.name or "" for selector in _selectors(parse(query))]
    return [name if name in METRICS else _SUFFIXES.sub("", name) for name in names]


def unknown_parts(query: str) -> list[str]:
    """What a query asks for that is not there: metrics, labels, values of labels. Raises ValueError for no PromQL."""
    tree = parse(query)
    selectors = list(_selectors(tree))
    unknown = [each for selector in selectors for each in _unknown(selector)]
    there: set[str] = set()
    for selector in selectors:
        there |= labels_of(selector.name or "") or set()
    return unknown + sorted(_grouped(tree) - there)


def _selectors(tree: Expr) -> Iterator[VectorSelector]:
    found: list[VectorSelector] = []

    def visit(node: Expr) -> None:
        if isinstance(node, VectorSelector):
            found.append(node)

    walk(tree, visit)
    return iter(found)


def _unknown(selector: VectorSelector) -> Iterator[str]:
    name = selector.name or ""
    labels = labels_of(name)
    if labels is None:
        yield name
        return
    for matcher in selector.matchers.matchers:
        if matcher.name not in labels:
            yield f"{name}{{{matcher.name}}}"
        values = _VALUES.get((_SUFFIXES.sub("", name), matcher.name))
        if values is not None:
            asked = matcher.value.split("|") if matcher.op in (MatchOp.Re, MatchOp.NotRe) else [matcher.value]
            yield from (f"{name}{{{matcher.name}={value}}}" for value in asked if value not in values)


def _grouped(tree: Expr) -> set[str]:
    """The labels by which parts of a query are grouped or matched."""
    found: set[str] = set()

    def visit(node: Expr) -> None:
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)
        elif isinstance(node, BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            found.update(node.modifier.matching.labels)

    walk(tree, visit)
    return found
