"""History: the entries in order, which of them are in force, and who had seen which.

Kept in memory beside the ledger. Every question is answered from what is indexed as entries come
in, so that its cost does not grow with the sample and hardly with the ledger.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .correction import REDO, SWITCHES, UNDO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .correction import Entry


@dataclass
class _Stacks:
    """What one author can undo and redo, newest last."""

    done: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)


class _Seen(NamedTuple):
    """Which entries the author of one had seen: positions on chains of entries.

    A chain is a run of entries each of which saw the one before: with one person at work there is
    one chain, with two there are two, whatever the length.
    """

    chain: int
    place: int
    others: dict[int, int]


class History:
    """The entries of a ledger in the order of replay."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._last: tuple[int, str, str] = (0, "", "")
        self._by_id: dict[str, Entry] = {}
        self._off: set[str] = set()
        self._switches: dict[str, list[Entry]] = {}
        self._heads: dict[str, None] = {}
        self._parents: set[str] = set()
        self._stacks: dict[str, _Stacks] = {}
        self._stale_stacks = False
        self._seen: dict[str, _Seen] = {}
        self._tips: list[str] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._by_id

    def __getitem__(self, entry_id: str) -> Entry:
        return self._by_id[entry_id]

    @property
    def entries(self) -> list[Entry]:
        """All entries in the order of replay; not to be changed."""
        return self._entries

    @property
    def heads(self) -> tuple[str, ...]:
        """The newest entries: those that no other has seen."""
        return tuple(self._heads)

    def is_last(self, entry: Entry) -> bool:
        """Say whether no other entry comes after this one in the order of replay."""
        return self._entries[-1] is entry

    def active(self, entry_id: str) -> bool:
        """Say whether an entry is in force."""
        return entry_id not in self._off

    def add(self, entry: Entry) -> list[Entry]:
        """Take in an entry.

        Returns
        -------
        list of Entry
            Earlier entries that it switched on or off.
        """
        if entry.entry_id in self._by_id:
            return []
        self._by_id[entry.entry_id] = entry
        key = entry.key
        if key < self._last:
            insort(self._entries, entry, key=lambda one: one.key)
            self._stale_stacks = True
        else:
            self._entries.append(entry)
            self._last = key
            if not self._stale_stacks:
                self._stack(entry)
        for parent in entry.parents:
            self._heads.pop(parent, None)
        self._parents.update(entry.parents)
        if entry.entry_id not in self._parents:
            self._heads[entry.entry_id] = None
        self._note_seen(entry)
        switched: list[Entry] = []
        if entry.entry_id in self._switches:
            # A switch of it came in before it did.
            self._settle(entry.entry_id, [])
        if entry.correction.kind in SWITCHES:
            target = entry.correction.target
            insort(self._switches.setdefault(target, []), entry, key=lambda one: one.key)
            self._settle(target, switched)
        return switched

    def undoable(self, author: str) -> Entry | None:
        """Give what this author's next undo takes back."""
        stacks = self._stacks_of(author)
        return self._by_id[stacks.done[-1]] if stacks.done else None

    def redoable(self, author: str) -> Entry | None:
        """Give what this author's next redo brings back."""
        stacks = self._stacks_of(author)
        return self._by_id[stacks.undone[-1]] if stacks.undone else None

    def saw(self, later: Entry, earlier: Entry) -> bool:
        """Say whether the author of one entry had been shown the other."""
        mine, other = self._seen[later.entry_id], self._seen[earlier.entry_id]
        if mine.chain == other.chain:
            return other.place <= mine.place
        return mine.others.get(other.chain, -1) >= other.place

    def newest(self, entries: Iterable[Entry]) -> list[Entry]:
        """Keep the entries in force that no other of them has seen: more than one is a conflict."""
        newest: list[Entry] = []
        for entry in sorted(entries, key=lambda one: one.key, reverse=True):
            if self.active(entry.entry_id) and not any(self.saw(one, entry) for one in newest):
                newest.append(entry)
        return newest[::-1]

    def _settle(self, target: str, switched: list[Entry]) -> None:
        """Find out again whether an entry is in force, and what that changes for others."""
        known = self._by_id.get(target)
        if known is None:
            return
        before, now = self.active(target), self._judged(target)
        if before == now:
            return
        (self._off.discard if now else self._off.add)(target)
        switched.append(known)
        if known.correction.kind in SWITCHES:
            self._settle(known.correction.target, switched)

    def _judged(self, target: str) -> bool:
        """Judge by the last switch in force."""
        own = self._by_id[target].key
        for switch in reversed(self._switches.get(target, [])):
            # No entry can switch one that comes after it.
            if switch.key > own and self.active(switch.entry_id):
                return switch.correction.kind == REDO
        return True

    def _stacks_of(self, author: str) -> _Stacks:
        if self._stale_stacks:
            self._stacks.clear()
            for entry in self._entries:
                self._stack(entry)
            self._stale_stacks = False
        return self._stacks.setdefault(author, _Stacks())

    def _stack(self, entry: Entry) -> None:
        """Follow what its author can undo and redo now."""
        stacks = self._stacks.get(entry.author)
        if stacks is None:
            stacks = self._stacks[entry.author] = _Stacks()
        kind, target = entry.correction.kind, entry.correction.target
        if kind == UNDO:
            _drop_last(stacks.done, target)
            stacks.undone.append(target)
        elif kind == REDO:
            _drop_last(stacks.undone, target)
            stacks.done.append(target)
        else:
            stacks.done.append(entry.entry_id)
            stacks.undone.clear()

    def _note_seen(self, entry: Entry) -> None:
        """Put an entry on a chain: behind a parent that ends one, or on a new one."""
        known = [self._seen[parent] for parent in entry.parents if parent in self._seen]
        ends = [seen for seen in known if self._is_tip(seen)]
        if len(known) == 1 and ends:
            own = known[0]
            self._seen[entry.entry_id] = _Seen(own.chain, own.place + 1, own.others)
            self._tips[own.chain] = entry.entry_id
            return
        others: dict[int, int] = {}
        for seen in known:
            for chain, place in ((seen.chain, seen.place), *seen.others.items()):
                others[chain] = max(others.get(chain, -1), place)
        if ends:
            chain, place = ends[0].chain, ends[0].place + 1
            self._tips[chain] = entry.entry_id
        else:
            chain, place = len(self._tips), 0
            self._tips.append(entry.entry_id)
        others.pop(chain, None)
        self._seen[entry.entry_id] = _Seen(chain, place, others)

    def _is_tip(self, seen: _Seen) -> bool:
        return self._seen[self._tips[seen.chain]] is seen


def _drop_last(stack: list[str], entry_id: str) -> None:
    """Remove the last occurrence from a stack, if there is one."""
    for place in range(len(stack) - 1, -1, -1):
        if stack[place] == entry_id:
            del stack[place]
            return
