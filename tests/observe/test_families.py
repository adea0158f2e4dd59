"""Families made from plain numbers."""

from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, counter, gauge, total


def told(family: Metric) -> list[tuple[str, dict[str, str], float]]:
    return [(sample.name, sample.labels, sample.value) for sample in family.samples]


def test_each_kind_of_family_tells_its_values() -> None:
    assert told(gauge("a", "help", 2)) == [("a", {}, 2)]
    assert told(total("a", "help", 3)) == [("a_total", {}, 3)]
    assert told(by_label("a", "help", "why", {"x": 1, "y": 2})) == [
        ("a_total", {"why": "x"}, 1),
        ("a_total", {"why": "y"}, 2),
    ]
    assert told(counter("a", "help", ["b", "c"], [(("x", "y"), 1)])) == [("a_total", {"b": "x", "c": "y"}, 1)]
    assert gauge("a", "help", 2).documentation == "help"
