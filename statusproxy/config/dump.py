"""Writes plain values as the YAML of the effective settings: scalars in one line, blocks below one another."""

from typing import Any, Final

import yaml

from statusproxy.config.yaml_tree import Kind, resolve
from statusproxy.observe.visible import visible

#: libyaml's, where PyYAML has it: ten times as fast.
_QUICK_LOADER: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Plain(str):  # noqa: SLOT000 - a mark, made a few times
    """A scalar that is written as it stands, without quotes, such as `0660` or `true`."""


def to_yaml(values: dict[str, Any], *, variables: bool = False) -> str:
    """`values` as YAML that `yaml_tree.parse` reads back to the same values, in the same order.

    With `variables` their texts may hold `${VAR}`, which stays one; all others are `escaped`.
    """
    given = values if variables else escaped(values)
    text = _dumped(given, _QuickDumper)
    if "\\U" in text:  # libyaml escapes all beyond the first 65 536 characters, such as emoji
        text = _dumped(given, _Dumper)
    # What does not print stands in double quotes (`_text`), where these escapes are YAML's own.
    return "\n".join(map(visible, text.split("\n")))


def from_yaml(text: str) -> Any:
    """The values of a text that `to_yaml` wrote."""
    return yaml.load(text, Loader=_QUICK_LOADER)  # noqa: S506 - a safe one


def _dumped(values: Any, dumper: type[yaml.SafeDumper]) -> str:
    text: str = yaml.dump(
        values, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )
    return text


class _Whole:
    """Writes each value in full, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Dumper(_Whole, yaml.SafeDumper):
    """PyYAML's emitter; lists of scalars stand as `[a, b]`."""


class _QuickDumper(_Whole, getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml's, which takes a fifth of the time: a running proxy writes its settings between two requests."""


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    flow = not any(isinstance(value, dict | list) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flow)


def _plain(dumper: yaml.SafeDumper, text: Plain) -> yaml.Node:
    tag = dumper.resolve(yaml.ScalarNode, str(text), (True, False))  # type: ignore[no-untyped-call]
    return yaml.ScalarNode(tag, str(text))


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # PyYAML writes some line breaks (U+0085) so that it reads them back as blanks, unless they are escaped.
    style = None if text.isprintable() else '"'
    # PyYAML leaves out the quotes after YAML 1.1, but `yaml_tree` reads after 1.2, where 08 and 1e3 are numbers.
    if style is None and resolve(text) is not Kind.TEXT:
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


for _each in (_Dumper, _QuickDumper):
    _each.add_representer(list, _list)
    _each.add_representer(str, _text)
    _each.add_representer(Plain, _plain)


def escaped(value: Any) -> Any:
    """`value` with each dollar of its texts doubled, for a dollar in the file may begin a `${VAR}`. Keys have none."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: escaped(each) for key, each in value.items()}
        case list():
            return [escaped(each) for each in value]
        case _:
            return value
