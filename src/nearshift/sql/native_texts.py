"""How words sound. Source pages: "SOUNDEX function", "DIFFERENCE function"."""

from __future__ import annotations

from typing import Final

_CODES: Final = {letter: code for code, letters in enumerate(("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"), 1) for letter in letters}


def soundex(text: str) -> str:
    """Return the American Soundex code of the English letters in a text, and an empty string when there is none.

    Letters of one code count once, also with H, W or another character between them; a vowel parts them.
    """
    letters = [letter for letter in text.upper() if "A" <= letter <= "Z"]
    if not letters:
        return ""
    code = letters[0]
    last = _CODES.get(letters[0], 0)
    for letter in letters[1:]:
        if letter in "HW":
            continue
        number = _CODES.get(letter, 0)
        if number and number != last:
            code += str(number)
            if len(code) == 4:
                break
        last = number
    return code.ljust(4, "0")


def difference(one: str, two: str) -> int:
    """Return how many places of two Soundex codes agree, 0 when one text has no English letter, 1 when neither has."""
    first, second = soundex(one), soundex(two)
    if not first or not second:
        return int(not first and not second)
    return sum(a == b for a, b in zip(first, second, strict=True))
