"""What the shapes suggest: which member names the event, which the session, which the state. Guesses, for a person."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from statusproxy.learning import members, words
from statusproxy.learning.lists import ListShape
from statusproxy.learning.observation import NAMELESS, Group, Observation
from statusproxy.learning.shapes import ANY, Cut, Member, Shape
from statusproxy.learning.words import Meaning
from statusproxy.status.fields import FALSE, TRUE, Path

_MOSTLY: Final = 0.5


class State(NamedTuple):
    """A member that tells a state, and its words by what they may mean."""

    path: Path
    words: Mapping[str, int]
    hidden: int = 0
    """Distinct values that were not kept."""
    is_flag: bool = False
    """Whether it holds true or false; its words are these two, also where one of them never came."""

    def means(self, word: str) -> Meaning | None:
        """What a word may mean in this member."""
        if not self.is_flag:
            return words.meaning(word)
        says = members.flag_connected(self.path[-1])
        return Meaning.CONNECTED if says is (word == TRUE) else Meaning.DISCONNECTED

    def meaning(self, meaning: Meaning | None) -> list[str]:
        """The words that may mean this."""
        return [word for word in self.words if self.means(word) is meaning]

    @property
    def decided(self) -> bool:
        """Whether any of its words is known to mean lost, found or under way."""
        return any(self.means(word) not in (None, Meaning.ALIVE) for word in self.words)


def event_member(seen: Observation) -> Path:
    """The member that names the event; `NAMELESS` if no member does."""
    kinds: dict[Path, list[Group]] = {}
    for group in seen.groups.values():
        kinds.setdefault(group.by, []).append(group)

    def fitness(path: Path) -> tuple[bool, float, int, tuple[str, ...]]:
        is_named = any(group.name is not None for group in kinds[path])
        weight = _share(kinds[path], seen) + 0.5 * members.names_event(path[-1]) - 0.3 * _is_state(path)
        return is_named, weight + 0.3 * parting(kinds[path]), -members.rank(path[-1], members.EVENTS), path

    return max((path for path in kinds if path and _may_name(path, kinds[path], seen)), key=fitness, default=NAMELESS)


def _may_name(path: Path, groups: list[Group], seen: Observation) -> bool:
    """Whether a member may name the event: it is called so, or most events have it and its values tell them apart."""
    if members.names_event(path[-1]):
        return True
    says = [group.name for group in groups if group.name is not None]
    tells_state = any(words.meaning(name) not in (None, Meaning.ALIVE) for name in says)
    if len(path) > 2 and any(len(words.segments(name) or ()) == 1 for name in says) and tells_state:
        return False  # a state that stands deep can stand for the name, see `speaking`
    return tells_state or (_share(groups, seen) >= _MOSTLY and (bool(says) or parting(groups) > 0))


def _share(groups: list[Group], seen: Observation) -> float:
    return sum(group.count for group in groups) / seen.events


def parting(groups: list[Group]) -> float:
    """How far these kinds of events have members of their own: from 0 (all alike) to 1 (every member in one kind)."""
    events = sum(group.count for group in groups)
    counts: dict[Path, int] = {}
    for group in groups:
        for path, member in group.members.items():
            counts[path] = counts.get(path, 0) + member.count
    mixed = {path: count * (events - count) / events for path, count in counts.items() if 0 < count < events}
    if not mixed:
        return 0.0
    within = sum(
        member.count * (group.count - member.count) / group.count
        for group in groups
        for path, member in group.members.items()
        if path in mixed
    )
    return max(0.0, 1 - within / sum(mixed.values()))


def speaking(seen: Observation, by: Path) -> State | None:
    """The state of events that no member names: its words can stand for the event's name."""
    group = next((group for group in seen.groups.values() if group.by == NAMELESS), None)
    if group is not None and len(by) > 2 and sum(each.count for each in groups(seen, by)) >= 0.9 * group.count:
        return None  # a deep member names them
    found = [] if group is None else states_or_flags(group, NAMELESS)
    return next((state for state in found if state.decided), None)


def groups(seen: Observation, by: Path) -> list[Group]:
    """The kinds of events by that member, the most frequent first."""
    return sorted((group for group in seen.groups.values() if group.by == by), key=lambda group: -group.count)


def session_members(seen: Observation, shape: Shape, by: Path) -> list[tuple[Path, float]]:
    """Members that may hold the session, the best first; each with the share of its values that a list has as ids."""
    found: list[tuple[bool, int, int, float, Path]] = []
    for path, member in shape.members.items():
        if not is_writable(path) or path == by or 2 * member.texts < shape.count or member.times is not None:
            continue
        share = member.share_of(seen.ids.listed)
        place = members.rank(path[-1], members.SESSIONS)
        if share >= _MOSTLY or (place < len(members.SESSIONS) - 2 and len(path) < 3):
            found.append((share < _MOSTLY, place, len(path), -share, path))
    return _usual([(path, -share) for *_, share, path in sorted(found)])


def cut_members(shape: Shape) -> list[tuple[Path, Cut, int]]:
    """Members whose texts hold an id of a list beside something else; how, and how often. The best first."""
    return sorted(
        (
            (path, cut, count)
            for path, member in shape.members.items()
            for cut, count in member.cuts.items()
            if is_writable(path) and members.is_id(path[-1]) and 2 * count >= member.texts
        ),
        key=lambda each: (members.rank(each[0][-1], members.SESSIONS), len(each[0]), -each[2]),
    )


def states(shape: Shape, by: Path) -> list[State]:
    """Members that may tell a state, the best first; those that tell a former one last."""
    found: list[tuple[bool, bool, int, int, State]] = []
    for path, member in shape.members.items():
        if not is_writable(path) or path == by or not member.words:
            continue
        state = State(path, member.words, member.hidden)
        if _is_state(path) or state.decided:
            place = members.rank(path[-1], members.STATES)
            found.append((not state.decided, members.is_former(path[-1]), place, len(path), state))
    return [state for *_, state in sorted(found, key=lambda each: each[:4])]


def states_or_flags(shape: Shape, by: Path) -> list[State]:
    """Members of an event that may tell a state, as `states`; behind them those that hold true or false."""
    return [
        *states(shape, by),
        *(
            State(path, {TRUE: member.true, FALSE: member.false}, is_flag=True)
            for path, member in sorted(shape.members.items(), key=lambda each: len(each[0]))
            if member.true + member.false
            and 2 * (member.true + member.false) >= shape.count
            and members.flag_connected(path[-1]) is not None
            and is_writable(path)
            and not any(map(members.is_private, path[:-1]))
        ),
    ]


def times_of(seen: Observation) -> list[tuple[Path, Member]]:
    """Members that hold a time in most events, the highest in the document first."""
    found = [
        (path, member)
        for path, member in seen.all.members.items()
        if member.times is not None and is_writable(path) and 2 * member.times.count >= seen.events
    ]
    return sorted(found, key=lambda each: (len(each[0]), -each[1].count))


def event_ids(seen: Observation) -> list[Path]:
    """Members that may be the same only in a repeated delivery."""
    return [
        path
        for path, member in seen.all.members.items()
        if is_writable(path)
        and members.rank(path[-1], members.EVENT_IDS) < len(members.EVENT_IDS)
        and (member.many or len(member.hashes) == member.texts)
    ]


def own_marks(seen: Observation, known: Collection[Path]) -> list[tuple[Path, Member]]:
    """Marks of the session's own messages that are not `known` yet."""
    return [
        (path, member)
        for path, member in seen.all.members.items()
        if members.fold(path[-1]) in members.OWN and member.true + member.false
        if path not in known and ANY not in path
    ]


def told_ids(seen: Observation) -> set[int]:
    """The ids that events name, as hashes."""
    return {
        hashed
        for path, member in seen.all.members.items()
        if members.is_id(path[-1]) or member.share_of(seen.ids.listed) >= _MOSTLY
        for hashed in member.hashes
    }


def lost_words(seen: Observation) -> dict[str, int]:
    """Words of events that may mean disconnected."""
    found: dict[str, int] = {}
    for state in states(seen.all, NAMELESS):
        if not members.names_event(state.path[-1]):
            for word in state.meaning(Meaning.DISCONNECTED):
                found[word] = found.get(word, 0) + state.words[word]
    return found


def lost_word(state: State, lost: Mapping[str, int]) -> str:
    """What a lost session reads in a list: the list's own word, else the events' most frequent one."""
    own = state.meaning(Meaning.DISCONNECTED)
    return own[0] if own else max(lost, key=lambda word: lost[word], default="disconnected")


def list_ids(shape: ListShape, events: set[int]) -> list[tuple[Path, float]]:
    """Members of a list that may be the id, the best first; each with the share that events name."""
    found: list[tuple[float, int, int, Path]] = []
    for path, unique in shape.unique.items():
        member = shape.members.get(path)
        if not unique or member is None or member.times is not None or not is_writable(path) or _is_state(path):
            continue
        share = member.share_of(events, listed=False)
        found.append((-share, members.rank(path[-1], members.SESSIONS), len(path), path))
    return _usual([(path, -share) for share, place, _, path in sorted(found) if share or place < len(members.SESSIONS)])


def _usual(found: list[tuple[Path, float]]) -> list[tuple[Path, float]]:
    """Without members that are called like no id, where a usual one holds ids too: an engine or a name is no id."""
    if not any(share and members.names_session(path[-1]) for path, share in found):
        return found
    return [(path, share) for path, share in found if members.is_id(path[-1])]


def flags(shape: Shape) -> list[tuple[Path, Member]]:
    """Members that say with true or false whether a session is connected."""
    return [
        (path, member)
        for path, member in shape.members.items()
        if members.fold(path[-1]) in members.FLAGS and member.true + member.false and is_writable(path)
    ]


def is_writable(path: Path) -> bool:
    """Whether a path can be written in a preset: its keys are names, and it leads through no array."""
    return all(step != ANY and step != "0" and "." not in step for step in path)


def transient_names(names: Iterable[str]) -> set[str]:
    """Names of events that only begin a new attempt: where a gateway also says that the phone was unlinked."""
    said = list(names)
    parts = {name: set(words.segments(name) or ()) for name in said}
    if not any({"logged", "out"} <= each or "logout" in each or "loggedout" in each for each in parts.values()):
        return set()
    return {name for name in said if parts[name] in ({"disconnected"}, {"disconected"})}


def _is_state(path: Path) -> bool:
    return members.rank(path[-1], members.STATES) < len(members.STATES)
