"""The shape of documents: which members there are, and what kind of value each has; counts and words, no values.

A value is remembered as a keyed hash, to tell few distinct values from many and to find the ids of a list again. The
key is drawn at random and never leaves the process. A text stands here in the clear only where it is a word (`words`).
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

from statusproxy.learning import members, times, words
from statusproxy.status.fields import Array, Path, fold_id, usable_text

ANY: Final = "*"
"""In place of a key that is not a name, such as an id or a number."""

DISTINCT: Final = 16
"""How many distinct values of one member are remembered; a member with more has "many"."""

FEW: Final = 12
"""Distinct values of a member that holds words: a state has no more."""

OFTEN: Final = 3
"""How often a word that the vocabulary lacks must have come before it is kept in the clear."""

SEPARATORS: Final = ":@/|,~._-"
"""What may stand between an id and something else in one text."""

_LONGEST_CUT: Final = 128
"""Characters of the longest text in which an id is looked for."""

_DEEPEST: Final = 6
_MEMBERS: Final = 120
"""Members of one document that are looked at."""

_CHILDREN: Final = 60
"""Members of an object beyond which its keys are no names."""

_IDS: Final = 5_000

_NAMES: Final = 4_000
"""Names of members, beside those of the vocabulary."""


class Revealed(NamedTuple):
    """What has turned out to be an id: its hashes, and the members' names that were kept and are one."""

    ids: frozenset[int]
    names: frozenset[str]

    def hide(self, path: Path) -> Path:
        """A path with `ANY` in place of these names."""
        return path if self.names.isdisjoint(path) else tuple(ANY if step in self.names else step for step in path)


class Cut(NamedTuple):
    """Where an id stands in a longer text: before the first separator, or behind the last."""

    separator: str
    first: bool

    @property
    def segment(self) -> str:
        """It as a segment of a path template (`config.templates`)."""
        return f"{{session}}{self.separator}{{_}}" if self.first else f"{{_}}{self.separator}{{session}}"


@final
class Ids:
    """Which values are ids, by keyed hashes: nothing that is one may be kept as a word or a name."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self.seen: set[int] = set()
        """Values of members that hold ids, and ids of lists."""
        self.listed: set[int] = set()
        """Ids of lists."""
        self.possible: dict[int, frozenset[int]] = {}
        """Values of lists that are ids if events hold one too; each with all values of its member."""
        self._kept: set[int] = set()
        """What is kept in the clear though the vocabulary lacks it: it may turn out to be an id."""
        self._names: dict[str, frozenset[int]] = {}

    def hash(self, text: str) -> int:
        """A text's keyed hash, folded as ids are compared."""
        folded = fold_id(text[:512]).encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(folded, key=self._key, digest_size=8).digest(), "big")

    def add(self, text: str, *, listed: bool = False) -> int | None:
        """Note an id; its hash where something is kept in the clear that it shows to be an id."""
        hashed = self.hash(text)
        if listed and len(self.listed) < _IDS:
            self.listed.add(hashed)
        if hashed in self.seen or len(self.seen) >= (2 * _IDS if listed else _IDS):
            return None
        self.seen.add(hashed)
        return hashed if hashed in self._kept else None

    def suppose(self, texts: Iterable[str]) -> None:
        """Note values of a list's member that are ids if events hold one of them, whatever the member is called."""
        together = frozenset(map(self.hash, texts)) - self.listed
        if len(self.possible) + len(together) <= _IDS:
            self.possible.update(dict.fromkeys(together, together))

    def confirm(self, came: Iterable[int]) -> set[int]:
        """Events hold these values: the ids that this shows, where something is kept in the clear that is one."""
        found: set[int] = set()
        for hashed in came:
            found |= self.possible.get(hashed, frozenset())
        for hashed in found:
            self.possible.pop(hashed, None)
        if len(self.listed) + len(found) <= _IDS:
            self.listed |= found
            self.seen |= found
        return found & self._kept

    def cut(self, text: str) -> Cut | None:
        """How an id of a list is cut out of a text; None if the text contains none."""
        if not self.listed or len(text) > _LONGEST_CUT:
            return None
        for separator in SEPARATORS:
            if separator in text:
                before, _, after = text.partition(separator)
                if after and self.hash(before) in self.listed:
                    return Cut(separator, first=True)
                before, _, after = text.rpartition(separator)
                if before and self.hash(after) in self.listed:
                    return Cut(separator, first=False)
        return None

    def keep(self, text: str) -> None:
        """Note that this text is kept in the clear."""
        self._kept.update(map(self.hash, _parts(text)))

    def is_name(self, key: str) -> bool:
        """Whether a member's name may be kept: a programmer wrote it, and it is no id."""
        hashes = self._names.get(key)  # first: that a text is not known costs more to find out
        if hashes is None:
            if words.is_known(key):
                return True
            if len(self._names) >= _NAMES or not words.is_name(key):
                return False
            hashes = frozenset(map(self.hash, _parts(key)))
            if hashes.isdisjoint(self.seen):
                self._names[key] = hashes
                self._kept |= hashes
        return hashes.isdisjoint(self.seen)

    def reveal(self, ids: Iterable[int]) -> Revealed:
        """Forget the names that have turned out to be these ids, and say which."""
        known = frozenset(ids)
        names = frozenset(name for name, hashes in self._names.items() if not hashes.isdisjoint(known))
        for name in names:
            del self._names[name]
        return Revealed(known, names)

    def is_one_of(self, text: str, ids: frozenset[int]) -> bool:
        """Whether a text that the vocabulary lacks is one of these ids, or has one as a part."""
        return not words.is_known(text) and any(self.hash(part) in ids for part in _parts(text))

    def holds(self, text: str) -> bool:
        """Whether a text is an id, or has one as a part."""
        return any(self.hash(part) in self.seen for part in _parts(text))


@final
class Word:
    """One value of a member: how often it came, and the text where that may be kept."""

    __slots__ = ("count", "text")

    def __init__(self) -> None:
        self.count = 0
        self.text: str | None = None


@final
class Member:
    """What stood in one member."""

    __slots__ = ("count", "cuts", "doubtful", "false", "hashes", "listed", "many", "others", "texts", "times", "true")

    def __init__(self) -> None:
        self.count = 0
        self.texts = 0
        """How often it held a text or a number, which can be an id or a word."""
        self.true = 0
        self.false = 0
        self.others = 0
        """How often it held an object, an array or null."""
        self.times: times.Times | None = None
        self.hashes: dict[int, Word] = {}
        self.doubtful = False
        """Whether a word is kept that the vocabulary lacks."""
        self.many = False
        """Whether there were more than `DISTINCT` values."""
        self.listed = 0
        """How often an id of a list stood there, as far as the list came before."""
        self.cuts: dict[Cut, int] = {}
        """How often one stood there within a longer text."""

    @property
    def words(self) -> dict[str, int]:
        """Words and how often each came, the most frequent first; none where there are too many values for words."""
        if self.many or len(self.hashes) > FEW:
            return {}
        kept = {word.text: word.count for word in self.hashes.values() if word.text is not None}
        return dict(sorted(kept.items(), key=lambda each: (-each[1], each[0])))

    @property
    def is_of_words(self) -> bool:
        """Whether most of its values are words of the vocabulary."""
        known = sum(word.text is not None and words.is_known(word.text) for word in self.hashes.values())
        return 2 * known >= len(self.hashes)

    @property
    def hidden(self) -> int:
        """How many distinct values are not kept in the clear."""
        return len(self.hashes) - len(self.words)

    def share_of(self, ids: set[int], *, listed: bool = True) -> float:
        """Which share of its values are among these ids; `listed`: these are the ids of lists."""
        if not self.texts:
            return 0.0
        remembered = sum(word.count for word in self.hashes.values())  # of many values the first ones, as a sample
        found = sum(word.count for hashed, word in self.hashes.items() if hashed in ids)
        return max(found / remembered if remembered else 0.0, self.listed / self.texts if listed else 0.0)


class Shape:
    """The members of documents of one kind, by path."""

    def __init__(self, ids: Ids, limit: int) -> None:
        """`limit` bounds the members remembered."""
        self.count = 0
        self.members: dict[Path, Member] = {}
        self.left_out = 0
        """Members that came when the limit was reached."""
        self._ids = ids
        self._limit = limit

    def add(self, document: object, now: float | None) -> None:
        """Take in one document; `now` is our clock, None where it is not known when it came."""
        self.take_in(walk(document, self._ids), now)

    def take_in(self, found: Iterable[tuple[Path, object]], now: float | None) -> None:
        """Take in one document by what `walk` found in it."""
        self.count += 1
        for path, value in found:
            member = self.members.get(path)
            if member is None:
                if len(self.members) >= self._limit:
                    self.left_out += 1
                    continue
                member = self.members[path] = Member()
            self._note(member, path[-1], value, now)

    def _note(self, member: Member, name: str, value: object, now: float | None) -> None:
        member.count += 1
        if type(value) is bool:
            if value:
                member.true += 1
            else:
                member.false += 1
            return
        if type(value) is not str and type(value) is not int and type(value) is not float:
            member.others += 1
            return
        member.texts += 1
        text = value[:512] if type(value) is str else usable_text(value)
        if text is None:
            member.many = True
            return
        hashed = self._ids.hash(text) if self._ids.listed or self._ids.possible else None
        listed = hashed in self._ids.listed
        time = None if listed or members.names_session(name) else times.read(value, now)
        if time is not None:
            member.times = times.Times() if member.times is None else member.times
            member.times.add(time)
            member.many = True  # times are no words, and no two are the same
            return
        if member.many and hashed is None:
            return
        if hashed is None:
            hashed = self._ids.hash(text)
        if listed:
            member.listed += 1
        elif type(value) is str:
            cut = self._ids.cut(text)
            if cut is not None:
                member.cuts[cut] = member.cuts.get(cut, 0) + 1
        word = member.hashes.get(hashed)
        if word is None:
            if member.many or len(member.hashes) >= DISTINCT:
                member.many = True
                for each in member.hashes.values():
                    each.text = None
                return
            word = member.hashes[hashed] = Word()
        word.count += 1
        self._keep(member, word, name, value)

    def _keep(self, member: Member, word: Word, name: str, value: object) -> None:
        if word.text is not None or type(value) is not str:
            return
        if may_keep(value, name, word.count, self._ids, among_words=member.is_of_words):
            word.text = value
            if not words.is_known(value):
                member.doubtful = True
                self._ids.keep(value)

    def look_again(self, found: Iterable[tuple[Path, object]]) -> None:
        """Keep the words of a document that was taken in, which what came after it shows to be words."""
        for path, value in found:
            member = self.members.get(path)
            if member is not None and type(value) is str:
                word = member.hashes.get(self._ids.hash(value))
                if word is not None:
                    self._keep(member, word, path[-1], value)

    def forget(self, revealed: Revealed) -> None:
        """Forget words and names that have turned out to be ids, or to hold one."""
        for member in self.members.values():
            if member.doubtful:
                for word in member.hashes.values():
                    if word.text is not None and self._ids.is_one_of(word.text, revealed.ids):
                        word.text = None
        for path in list(self.members) if revealed.names else ():
            kept = revealed.hide(path)
            if kept is not path:
                member = self.members.pop(path)
                self.members.setdefault(kept, member)


def may_keep(text: str, name: str, count: int, ids: Ids, *, among_words: bool = True) -> bool:
    """Whether a text of the member `name`, which came `count` times, may be kept in the clear.

    `among_words`: most of what stands there are words of the vocabulary. A contact's `status` is a text of a person's.
    """
    if members.is_private(name):
        return False
    if words.is_known(text):
        return True
    if count < OFTEN or not (members.names_event(name) or (members.names_state(name) and among_words)):
        return False
    return words.is_word(text) and not ids.holds(text)


def walk(document: object, ids: Ids) -> Iterator[tuple[Path, object]]:
    """Every member with its path, outermost first, as far as is looked; keys that are no names read `ANY`.

    Of an array only the first element is looked at, under `0`.
    """
    left = _MEMBERS
    waiting: list[tuple[Path, object]] = [((), document)]
    for holder, node in waiting:  # grows while it is walked
        if isinstance(node, list | Array):
            first = node.first if isinstance(node, Array) else node[0] if node else None
            if type(first) is dict and len(holder) < _DEEPEST:
                waiting.append(((*holder, "0"), first))
            continue
        if type(node) is not dict:
            continue
        named = len(node) <= _CHILDREN
        for key, value in node.items():
            left -= 1
            if left < 0:
                return
            path = (*holder, key if named and ids.is_name(key) else ANY)
            yield path, value
            if len(path) < _DEEPEST and isinstance(value, dict | list | Array):
                waiting.append((path, value))


def _parts(text: str) -> Iterator[str]:
    yield text
    for separator in ".:/-":
        if separator in text:
            yield from text.split(separator)
