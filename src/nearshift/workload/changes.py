"""Changes to items, as DynamoDB's low-level API spells them, and the items that they leave: the oracle of every comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

AttributeValue = Mapping[str, Any]
Item = dict[str, AttributeValue]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item, over the one that is there."""

    item: Item


@dataclass(frozen=True, slots=True)
class Update:
    """Set some attributes of an item and remove others; makes the item if it is not there."""

    key: Key
    values: Item
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an item; nothing happens when it is not there."""

    key: Key


@dataclass(frozen=True, slots=True)
class Together:
    """Changes of different items in one transaction."""

    changes: tuple[Put | Update | Delete, ...]


Change = Put | Update | Delete | Together


def key_of(change: Put | Update | Delete) -> Key:
    """Return the key of the item that is changed."""
    if isinstance(change, Put):
        return change.item["pk"]["S"], change.item["sk"]["S"]
    return change.key


def singles(change: Change) -> tuple[Put | Update | Delete, ...]:
    """Return the changes of single items in it."""
    return change.changes if isinstance(change, Together) else (change,)


@dataclass(slots=True)
class Oracle:
    """The items that a table holds after changes, kept in memory."""

    items: dict[Key, Item] = field(default_factory=dict)

    def apply(self, changes: Iterable[Change]) -> None:
        """Apply changes in order."""
        for change in changes:
            for single in singles(change):
                self._apply(single)

    def _apply(self, change: Put | Update | Delete) -> None:
        key = key_of(change)
        match change:
            case Put():
                self.items[key] = dict(change.item)
            case Update():
                item = self.items.setdefault(key, {"pk": {"S": key[0]}, "sk": {"S": key[1]}})
                item.update(change.values)
                for name in change.removed:
                    item.pop(name, None)
            case Delete():
                self.items.pop(key, None)
