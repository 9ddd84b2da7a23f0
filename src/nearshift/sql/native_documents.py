"""Arrays and objects of SUPER, taken apart and put together as text.

Documents come as JSON text without blanks between its signs, which parsing takes out, and the texts of elements are never read further than
their comparison needs: so numbers keep their spelling, and no depth of nesting uses up a stack. Elements compare as SUPER values do
(`macros_super.super_key`): by kind, numbers by value, arrays and objects by their text; nulls are equal to each other. Documents end with a
blank where something in them may have a fraction (`macros_documents`); results inherit it.

Source pages: "Array functions", "Object functions", "LOWER_ATTRIBUTE_NAMES function".
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from nearshift.limits import SUPER_BYTES_MAX, SUPER_DEPTH_MAX

_STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_SIGNS: Final = re.compile(rf"{_STRING}|[\[\]{{}},:]")
_NAMES: Final = re.compile(rf"({_STRING})(:?)|[{{}}]")
_BLANKS: Final = re.compile(rf"{_STRING}|[ \t\r\n]+")
_FRACTION: Final = re.compile(r"\.[0-9]+(?:[\],}eE]|$)")
_NULL: Final = "null"
# Kinds in the order of SUPER: boolean, number, string, array, object ("ORDER BY").
_RANKS: Final = {"t": 1, "f": 1, '"': 3, "[": 4, "{": 5}
_NULL_KEY: Final = (6, "")

Key = tuple[int, Any]


def _error(sqlstate: str, message: str) -> ValueError:
    return ValueError(f"nearshift:{sqlstate}:{message}")


def _pieces(text: str) -> Iterator[str]:
    """Yield the texts between the commas of the outermost array or object."""
    depth, start = 0, 1
    for found in _SIGNS.finditer(text):
        sign = found[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if depth == 0 and found.start() > start:
                yield text[start : found.start()].strip()
        elif sign == "," and depth == 1:
            yield text[start : found.start()].strip()
            start = found.end()


def beyond_limits(text: str, raises: bool) -> bool:  # noqa: FBT001 - called by DuckDB
    """Tell whether a JSON text is too deep or too large for SUPER ("Limitations"); if so and if it `raises`, 54001 or 54000 is raised."""
    depth = deepest = 0
    for found in _SIGNS.finditer(text):
        sign = found[0]
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    is_deep = deepest > SUPER_DEPTH_MAX
    is_large = False
    if len(text) > SUPER_BYTES_MAX // 4:
        blanks = sum(len(found[0]) for found in _BLANKS.finditer(text) if found[0][0] != '"')
        is_large = len(text.encode()) - blanks > SUPER_BYTES_MAX
    if raises and is_deep:
        raise _error("54001", f"JSON parsing error: SUPER nests at most {SUPER_DEPTH_MAX} levels")
    if raises and is_large:
        raise _error("54000", f"JSON parsing error: SUPER has at most {SUPER_BYTES_MAX} bytes")
    return is_deep or is_large


def _elements(text: str) -> list[str] | None:
    """Return the texts of an array's elements, None for what is no array."""
    return list(_pieces(text)) if text.startswith("[") else None


def _members(text: str) -> dict[str, str]:
    """Return the names of an object, and the texts of their values."""
    found: dict[str, str] = {}
    for piece in _pieces(text):
        name = _SIGNS.match(piece)
        assert name is not None, piece
        found[json.loads(name[0], strict=False)] = piece[name.end() + 1 :]
    return found


def _key(text: str) -> Key:
    """Return what a value is equal to and sorted by."""
    text = text.rstrip(" ")
    if text == _NULL:
        return _NULL_KEY
    rank = _RANKS.get(text[0], 2)
    if rank == 2:
        return rank, Decimal(text)
    if rank == 3:
        return rank, json.loads(text, strict=False)
    return rank, text


def _array(elements: Iterable[str], *sources: str) -> str:
    """Return the array of these elements; like its sources it ends with a blank when a fraction may be in it."""
    return f"[{','.join(elements)}]{' ' * any(one.endswith(' ') for one in sources)}"


def _found(array: str, value: str, *, null_match: bool) -> list[int] | None:
    """Return the places of a value from 0; None for what is no array, and for what `null_match` FALSE leaves unknown."""
    elements = _elements(array)
    if elements is None:
        return None
    keys, key = [_key(one) for one in elements], _key(value)
    if not null_match and key == _NULL_KEY:
        return None
    places = [place for place, one in enumerate(keys) if one == key]
    return None if not places and not null_match and _NULL_KEY in keys else places


def array_contains(array: str, value: str, null_match: bool) -> bool | None:  # noqa: FBT001 - called by DuckDB
    """Tell whether an array has a value ("ARRAY_CONTAINS function")."""
    places = _found(array, value, null_match=null_match)
    return None if places is None else bool(places)


def array_position(array: str, value: str, null_match: bool) -> int | None:  # noqa: FBT001 - called by DuckDB
    """Return the first place of a value from 0, or -1 ("ARRAY_POSITION function")."""
    places = _found(array, value, null_match=null_match)
    return None if places is None else next(iter(places), -1)


def array_positions(array: str, value: str, null_match: bool) -> str | None:  # noqa: FBT001 - called by DuckDB
    """Return all places of a value from 0, as an array ("ARRAY_POSITIONS function")."""
    places = _found(array, value, null_match=null_match)
    return None if places is None else _array(map(str, places))


def array_distinct(array: str) -> str | None:
    """Return an array without repetitions ("ARRAY_DISTINCT function")."""
    elements = _elements(array)
    return None if elements is None else _array(_first_each(elements), array)


def _first_each(elements: Iterable[str]) -> list[str]:
    firsts: dict[Key, str] = {}
    for one in elements:
        firsts.setdefault(_key(one), one)
    return list(firsts.values())


def _both(first: str, second: str) -> tuple[list[str], list[str]] | None:
    one, other = _elements(first), _elements(second)
    return None if one is None or other is None else (one, other)


def fractions_flagged(text: str) -> str:
    """Return a compact document with the blank at its end that tells of fractions, if it may have some (`macros_documents`)."""
    return text + " " if _FRACTION.search(text) else text


def array_flatten(array: str) -> str | None:
    """Return the elements of an array and of all arrays in it, as one array ("ARRAY_FLATTEN function")."""
    elements = _elements(array)
    if elements is None:
        return None
    flat: list[str] = []
    waiting = [iter(elements)]
    while waiting:
        for one in waiting[-1]:
            if one.startswith("["):
                waiting.append(_pieces(one))
                break
            flat.append(one)
        else:
            waiting.pop()
    return _array(flat, array)


def array_except(first: str, second: str, distinct: bool) -> str | None:  # noqa: FBT001 - called by DuckDB
    """Return what the second array does not have, counting repetitions unless `distinct` ("ARRAY_EXCEPT function")."""
    both = _both(first, second)
    if both is None:
        return None
    counts = Counter(_key(one) for one in both[1])
    if distinct:
        return _array((one for one in _first_each(both[0]) if _key(one) not in counts), first)
    kept = []
    for one in both[0]:
        if counts[key := _key(one)] > 0:
            counts[key] -= 1
        else:
            kept.append(one)
    return _array(kept, first)


def array_intersection(first: str, second: str, distinct: bool) -> str | None:  # noqa: FBT001 - called by DuckDB
    """Return what both arrays have, counting repetitions unless `distinct` ("ARRAY_INTERSECTION function")."""
    both = _both(first, second)
    if both is None:
        return None
    counts = Counter(_key(one) for one in both[1])
    kept = []
    for one in _first_each(both[0]) if distinct else both[0]:
        if counts[key := _key(one)] > 0:
            counts[key] -= 1
            kept.append(one)
    return _array(kept, first)


def array_union(first: str, second: str) -> str | None:
    """Return what either array has, each once ("ARRAY_UNION function")."""
    both = _both(first, second)
    return None if both is None else _array(_first_each([*both[0], *both[1]]), first, second)


def arrays_overlap(first: str, second: str) -> bool | None:
    """Tell whether two arrays have an element in common ("ARRAYS_OVERLAP function")."""
    both = _both(first, second)
    return None if both is None else not {_key(one) for one in both[0]}.isdisjoint(_key(one) for one in both[1])


def array_sort(array: str, ascending: bool, nulls_first: bool) -> str | None:  # noqa: FBT001 - called by DuckDB
    """Return an array in the order of ORDER BY ("ARRAY_SORT function")."""
    elements = _elements(array)
    if elements is None:
        return None
    nulls = [one for one in elements if one == _NULL]
    values = sorted((one for one in elements if one != _NULL), key=_key, reverse=not ascending)
    return _array([*nulls, *values] if nulls_first else [*values, *nulls], array)


def upper_names(document: str) -> str:
    """Return a document with all its names in upper case ("UPPER_ATTRIBUTE_NAMES function"). Raises 22P02 for names that become equal."""
    return _renamed(document, str.upper)


def lower_names(document: str) -> str:
    """Return a document with all its names in lower case ("LOWER_ATTRIBUTE_NAMES function"). Raises 22P02 for names that become equal."""
    return _renamed(document, str.lower)


def _renamed(document: str, change: Callable[[str], str]) -> str:
    seen: list[set[str]] = []

    def replaced(found: re.Match[str]) -> str:
        sign = found[0]
        if sign == "{":
            seen.append(set())
        elif sign == "}":
            seen.pop()
        elif found[2]:
            name = "".join(changed if len(changed := change(one)) == 1 else one for one in json.loads(found[1], strict=False))
            if name in seen[-1]:
                raise _error("22P02", "Invalid input: SUPER value has duplicate attributes after case conversion")
            seen[-1].add(name)
            return json.dumps(name, ensure_ascii=False) + ":"
        return sign

    return _NAMES.sub(replaced, document)


def strict_path(document: str, path: str) -> str:
    """Return what is at the end of a path, a JSON array of names and places; raises 22P02 for a step that is not there.

    Null has no members to miss: what is below it is null, as is what is below NULL in SQL.
    """
    value = document
    for step in _pieces(path):
        if value == _NULL:
            return _NULL
        found = _members(value).get(json.loads(step, strict=False)) if value.startswith("{") and step.startswith('"') else None
        if value.startswith("[") and not step.startswith('"'):
            found = next(itertools.islice(_pieces(value), int(step), None), None)
        if found is None:
            what = f"attribute {step}" if step.startswith('"') else f"element {step}"
            raise _error("22P02", f"navigation into SUPER failed: there is no {what}")
        value = found
    return f"{value} " if document.endswith(" ") and value[0] in "[{" else value


Tree = dict[str, "Tree | str"]


def object_transform(document: str, keep: str, changes: str) -> str:
    """Return an object of the paths in `keep` and of the pairs of a path and a value in `changes` ("OBJECT_TRANSFORM function").

    Both are JSON: `[["a","b"], …]` and `[[["a"],value], …]`. What is no object is returned as it is. A path that is not there keeps
    nothing; a value that is set under something that is no object takes its place.
    """
    if not document.startswith("{"):
        return document
    tree: Tree = {}
    for path in _pieces(keep):
        names = [json.loads(one, strict=False) for one in _pieces(path)]
        value = _at(document, names)
        if value is not None:
            _put(tree, names, value)
    for pair in _pieces(changes):
        path, value = _pieces(pair)
        _put(tree, [json.loads(one, strict=False) for one in _pieces(path)], value)
    text = _tree_text(tree)
    return f"{text} " if _FRACTION.search(text) else text


def _at(document: str, names: list[str]) -> str | None:
    value: str | None = document
    for name in names:
        if value is None or not value.startswith("{"):
            return None
        value = _members(value).get(name)
    return value


def _put(tree: Tree, names: list[str], value: str) -> None:
    for name in names[:-1]:
        inner = tree.get(name, "{}")
        if isinstance(inner, str):
            inner = tree[name] = dict(_members(inner)) if inner.startswith("{") else {}
        tree = inner
    tree[names[-1]] = value


def _tree_text(tree: Tree) -> str:
    """Return an object as text; it is as deep as the longest path, which the statement's text limits."""
    members = (f"{json.dumps(name, ensure_ascii=False)}:{one if isinstance(one, str) else _tree_text(one)}" for name, one in tree.items())
    return f"{{{','.join(members)}}}"
