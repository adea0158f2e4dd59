"""The entries of `channels` in a draft: of the answers with a list of sessions, else a skeleton to fill in."""

from collections.abc import Iterator, Mapping
from typing import Final

from statusproxy.learning import guesses, notation
from statusproxy.learning.lists import ListShape
from statusproxy.learning.observation import NAMELESS, Observation
from statusproxy.learning.words import Meaning, meaning, segments


def entries(seen: Observation) -> Iterator[str]:
    """The entries one by one, those that are only comments last."""
    qr = qr_routes(seen)
    routes = {route: shape for route, shape in seen.answers.routes.items() if route not in qr}
    if not routes:
        yield _NO_LISTS + _skeleton()
        return
    told, lost = guesses.told_ids(seen), guesses.lost_words(seen)
    begun = False
    others: list[str] = []
    yield "# The answers that are corrected.\n"
    for route, shape in routes.items():
        text, is_whole = _channel(route, shape, told, lost)
        if is_whole:
            yield text if begun else f"channels:\n{text}"
            begun = True
        else:
            others.append(text)
            yield ""
    yield from others


def qr_routes(seen: Observation) -> list[str]:
    """Routes of answers that show a QR code, by their last segment: such an answer is not corrected."""
    return [route for route in seen.answers.routes if not _QR.isdisjoint(segments(route.rpartition("/")[2]) or ())]


_QR: Final = frozenset({"qr", "qrcode"})


def _channel(route: str, shape: ListShape, told: set[int], lost: Mapping[str, int]) -> tuple[str, bool]:
    """An entry of `channels`, and whether it is whole; else a comment."""
    ids = guesses.list_ids(shape, told)
    status = guesses.states(shape, NAMELESS)
    flags = guesses.flags(shape)
    what = "one session" if shape.one else f"{notation.number(shape.elements, 'element')}"
    head = f"  - path: {notation.scalar(route)}    # {notation.answers(shape.answers)}, {what}\n"
    if notation.hides(route):
        head = f"  # TODO: {{_}} is a segment that is not shown: an id ({{session}}), a secret?\n{head}"
    sets = {notation.dotted(path): "false" for path, _ in flags}
    words: dict[str, int] = {}
    for state in status:
        if state.decided or not flags:
            sets[notation.dotted(state.path)] = notation.scalar(guesses.lost_word(state, lost))
            words |= {word: words.get(word, 0) + count for word, count in state.words.items()}
    if not sets or (not ids and not shape.one):
        missing = "a member that tells a state" if ids else "a member that tells the sessions apart"
        known = ", ".join(notation.dotted(path) for path in list(shape.members)[:20] if guesses.is_writable(path))
        comment = (
            f"# {notation.scalar(route)}: {notation.answers(shape.answers)}, without {missing}; members: {known}\n"
        )
        skeleton = _skeleton(
            path=notation.scalar(route),
            where=f"[{notation.dotted(shape.path)}]",
            ids=notation.paths(path for path, _ in ids[:2]) if ids else "[id]",
            sets=f"{{{', '.join(f'{name}: {value}' for name, value in sets.items())}}}" if sets else _SET,
        )
        return comment + "# TODO: if it lists the sessions anyway, fill this in:\n" + skeleton, False
    best = [path for path, share in ids if share] or [path for path, _ in ids[:2]]
    lines = [head, f"    list: [{notation.dotted(shape.path)}]\n"]
    how = ", ".join(f"{share:.0%} in events" for path, share in ids if path in best and share)
    lines.append(f"    id: {notation.paths(best or [('id',)])}    # {how or 'TODO: guessed by its name'}\n")
    seen_words = f"; {notation.counted(words)}" if words else ""
    lines.append(
        f"    set: {{{', '.join(f'{name}: {value}' for name, value in sets.items())}}}    # TODO: guessed{seen_words}\n"
    )
    kept = [word for word in words if meaning(word) is not Meaning.CONNECTED]
    found = [word for word in words if meaning(word) is Meaning.CONNECTED]
    if kept:
        lines.append(f"    keep: {notation.flow(kept)}    # TODO: words that already say that it is not connected\n")
    if found:
        lines.append(f"    connected: {notation.flow(found)}\n")
    if notation.hides(route):  # a person must say what it is
        return "".join(f"# {line}" for line in "".join(lines).splitlines(keepends=True)), False
    return "".join(lines), True


_NO_LISTS: Final = """\
# channels: TODO: no answer with a list of sessions was seen. Ask for the list through the proxy, or give it with --list
# and --route. Or fill this in:
"""

_SET: Final = "{status: disconnected}"


def _skeleton(path: str = "/api/sessions", where: str = "[sessions]", ids: str = "[id]", sets: str = _SET) -> str:
    """An entry of `channels` as a comment, with what to fill in."""
    return (
        "# channels:\n"
        f"#   - path: {path}    # the route of the list\n"
        f'#     list: {where}    # the member that holds the array; "" where the answer is the array itself\n'
        f"#     id: {ids}    # the member of its elements by which events call the session\n"
        f"#     set: {sets}    # the members that tell the state, and what a lost session is to read there\n"
        "#     connected: [connected]    # how a connected session reads there\n"
    )
