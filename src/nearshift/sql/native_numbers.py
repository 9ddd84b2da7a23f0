"""Numbers as text and back. Source pages: "TO_CHAR", "Numeric format strings", "TEXT_TO_INT_ALT", "TEXT_TO_NUMERIC_ALT".

TO_CHAR follows PostgreSQL's rules for numbers (`formatting.c` describes them; its server is what the differential tests compare with),
with a dollar sign for L.
"""

from __future__ import annotations

import decimal
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

_EXACT: Final = decimal.Context(prec=80)
_WORDS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|EEEE|FM|MI|PL|PR|RN|SG|SP|TH|[,.09BCDGLSV]|.', re.S | re.I)
_TERADATA: Final = re.compile(r"([+-]?)(\d*\.?\d*)(?:E([+-]?\d+))?([+-]?)", re.I)
_ROMAN: Final = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"),
                 (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip


def _error(sqlstate: str, message: str) -> ValueError:
    return ValueError(f"nearshift:{sqlstate}:{message}")


def teradata_number(text: str, precision: int, scale: int) -> str:
    """Return the number that a Teradata-style text means, rounded half to even at `scale`; `scale` -1 cuts the fraction off.

    Raises 22P02 for a text that is no number and 22003 for one with more than `precision` digits.
    """
    word = text.strip()
    if not word:
        return "0"
    found = _TERADATA.fullmatch(word)
    if found is None or not re.search(r"\d", found[2]) or (found[1] and found[4]):
        raise _error("22P02", f'invalid input syntax for numeric: "{text}"')
    number = decimal.Decimal(f"{found[1] or found[4]}{found[2]}E{found[3] or 0}")
    rounding = decimal.ROUND_DOWN if scale < 0 else decimal.ROUND_HALF_EVEN
    number = number.quantize(decimal.Decimal(1).scaleb(-max(scale, 0)), rounding=rounding, context=_EXACT)
    if len(number.as_tuple().digits) > precision:
        raise _error("22003", "numeric data overflow (result precision)")
    return f"{number:f}"


_DIGITS: Final = re.compile(r"([+-]?)(?:0[xX](?=.))?([0-9a-zA-Z]+)")
_BIGINT: Final = range(-(2**63), 2**63)


def based_integer(text: str, base: int) -> int:
    """Return the number that digits of a base mean ("STRTOL function"). Raises 22023 for other text and bases, 22003 beyond BIGINT."""
    if not 2 <= base <= 36:
        raise _error("22023", "base must be between 2 and 36")
    found = _DIGITS.fullmatch(text.strip())
    prefixed = base == 16 or not re.match(r"\s*[+-]?0[xX]", text)
    try:
        number = int((found[1] + found[2]) if found is not None and prefixed else "", base)
    except ValueError as error:
        raise _error("22023", f"the input {text} is not valid to be converted to base {base}") from error
    if number not in _BIGINT:
        raise _error("22003", f"the input {text} is out of range for bigint")
    return number


@dataclass(slots=True)
class _Format:
    """A numeric format taken apart: its words, and how many digits stand on either side of the point."""

    words: list[str]
    before: int = 0
    after: int = 0
    zero_start: int = 0
    zero_end: int = 0
    sign_at: int = 0
    has_zero: bool = False
    has_point: bool = False
    is_tight: bool = False
    leads_sign: bool | None = None
    kinds: frozenset[str] = field(default_factory=frozenset)


def check_format(form: str) -> str | None:
    """Return why a numeric format is not possible, or None."""
    try:
        _read(form)
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=256)
def _read(form: str) -> _Format:
    """Read a format; raises ValueError with the reason."""
    words = [word.upper() if word.upper() in _KEYS and word not in {"rn", "th"} else word for word in _WORDS.findall(form)]
    read = _Format(words, kinds=frozenset(words))
    for word in words:
        _read_word(read, word)
    kinds = read.kinds
    if len(kinds & {"S", "PR"} | ({"MI"} if kinds & {"MI", "PL", "SG"} else set())) > 1:
        raise ValueError("S, PR and MI, PL or SG cannot be used together in a numeric format")
    if kinds & {"RN", "rn"}:
        if len([word for word in words if word != "FM"]) > 1:
            raise ValueError("RN stands alone in a numeric format")
    elif not read.before + read.after or (read.has_point and not read.after):
        raise ValueError("a numeric format needs digits, also after its point")
    if "PR" in kinds and any(word in {"9", "0", ".", "D", ",", "G"} for word in words[words.index("PR") :]):
        raise ValueError("PR stands behind the digits of a numeric format")
    if read.zero_start:
        read.zero_start -= 1
    return read


_KEYS: Final = frozenset({"EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "TH", *",.09BCDGLSV"})


def _read_word(read: _Format, word: str) -> None:
    if word in {"EEEE", "V", "C", "B", "SP"}:
        raise ValueError(f'"{word}" in a numeric format is not supported')
    if word == "S":
        if read.leads_sign is not None:
            raise ValueError('"S" can be used once')
        read.leads_sign, read.sign_at = not read.has_point, read.before
    elif word in {"9", "0"}:
        if word == "0" and not read.has_zero and not read.has_point:
            read.has_zero, read.zero_start = True, read.before + 1
        if read.has_point:
            read.after += 1
        else:
            read.before += 1
        if word == "0":
            read.zero_end = read.before + read.after
    elif word in {".", "D"}:
        if read.has_point:
            raise ValueError("a numeric format has one decimal point")
        read.has_point = True
    elif word == "FM":
        read.is_tight = True


def number_text(text: str, form: str) -> str:
    """Return a number, given as its decimal text, by a format. Raises ValueError for a format that `check_format` refuses."""
    read = _read(form)
    if text in {"nan", "NaN", "inf", "-inf", "Infinity", "-Infinity"}:
        raise _error("22003", "TO_CHAR does not show this number")
    rounded = decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-read.after), rounding=decimal.ROUND_HALF_UP, context=_EXACT)
    digits = f"{abs(rounded):f}"
    if read.kinds & {"RN", "rn"}:
        return _roman(decimal.Decimal(text), read)
    whole = len(digits.partition(".")[0])
    spaces = 0
    if whole < read.before:
        spaces = read.before - whole
    elif whole > read.before:
        digits = "#" * read.before + "." + "#" * read.after
    return _Writer(read, digits, "-" if rounded < 0 else "+", spaces).write()


def _roman(number: decimal.Decimal, read: _Format) -> str:
    value = int(number.quantize(decimal.Decimal(1), rounding=decimal.ROUND_HALF_UP, context=_EXACT))
    text = ""
    if 1 <= value <= 3999:
        for size, letters in _ROMAN:
            text += letters * (value // size)
            value %= size
    else:
        text = "#" * 15
    shown = "".join(text.lower() if word == "rn" else text if word == "RN" else "" for word in read.words)
    return shown if read.is_tight else shown.rjust(15)


class _Writer:
    """Writes one number by one format, word by word; the names follow the rules' own: a digit is relevant, a sign is owed."""

    def __init__(self, read: _Format, digits: str, sign: str, spaces: int) -> None:
        self._read = read
        self._digits = digits
        self._sign = sign
        self._spaces = spaces
        self._out: list[str] = []
        self._place = 0  # the digit position of the format that is written
        self._next = 0  # the next character of the digits
        self._is_in_number = False
        self._leads = read.leads_sign
        kinds = read.kinds
        self._has_bracket = "PR" in kinds and not (read.is_tight and sign == "+")
        if kinds & {"MI", "PL", "SG"}:
            self._owes_sign = "PL" in kinds and not kinds & {"MI", "SG"}
        else:
            self._owes_sign = not (sign == "+" and read.is_tight and self._leads is None)
            if self._leads and read.before == read.sign_at:
                self._leads = False
        self._count = read.after + read.before - 1 + int(self._owes_sign and spaces == 0)
        self._last = self._last_relevant()

    def _last_relevant(self) -> int | None:
        read = self._read
        if not (read.is_tight and read.has_point) or "." not in self._digits:
            return None
        last = len(self._digits) - 1
        while self._digits[last] == "0":
            last -= 1
        if read.zero_end > self._spaces:
            last = max(last, min(len(self._digits) - 1, read.zero_end - self._spaces))
        return last

    def write(self) -> str:
        """Return the text."""
        for word in self._read.words:
            if word in {"9", "0", ".", "D"}:
                self._digit(word)
            elif word in {",", "G"}:
                self._out.append("," if self._is_in_number else "" if self._read.is_tight else " ")
            elif word in {"MI", "PL", "SG"}:
                wanted = {"MI": "-", "PL": "+", "SG": self._sign}[word]
                self._out.append(wanted if self._sign == wanted else "" if self._read.is_tight else " ")
            elif word == "L":
                self._out.append("$")
            elif word in {"TH", "th"}:
                self._ordinal(word)
            elif word not in {"S", "PR", "FM"}:
                self._out.append(re.sub(r"\\(.)", r"\1", word[1:-1]) if word[0] == '"' else word.removeprefix("\\"))
        return "".join(self._out)

    def _ordinal(self, word: str) -> None:
        if self._digits[:1] == "#" or self._sign == "-" or self._read.has_point:
            return
        ending = {"1": "st", "2": "nd", "3": "rd"}.get(self._digits[-1], "th")
        if self._digits[-2:-1] == "1":
            ending = "th"
        self._out.append(ending.upper() if word == "TH" else ending)

    def _is_before_point(self) -> bool:
        """Tell whether the digit to write is the lone zero before the point, which is shown as a blank."""
        return not self._read.has_zero and self._next == 0 and self._digits[0] == "0" and self._read.after != 0

    def _ends_in_point(self) -> bool:
        return self._last is not None and self._digits[self._last] == "."

    def _write_sign(self) -> None:
        if self._leads is not None:
            if self._leads:
                self._out.append(self._sign)
                self._owes_sign = False
            return
        if self._has_bracket:
            self._out.append(" " if self._sign == "+" else "<")
        elif self._sign == "-":
            self._out.append("-")
        elif not self._read.is_tight:
            self._out.append(" ")
        self._owes_sign = False

    def _digit(self, word: str) -> None:
        read = self._read
        self._is_in_number = False
        has_begun = self._place >= self._spaces or (read.has_zero and read.zero_start == self._place)
        if self._owes_sign and has_begun and (not self._is_before_point() or self._ends_in_point()):
            self._write_sign()
        if self._place < self._spaces and (not read.has_zero or read.zero_start > self._place):
            self._out.append("" if read.is_tight else " ")
        elif read.has_zero and self._place < self._spaces:
            self._out.append("0")
            self._is_in_number = True
        else:
            self._character(word)
            if self._next < len(self._digits):
                self._next += 1
        end = self._count + int(self._spaces > 0) + int(read.has_point)
        if self._last is not None and self._last == self._next:
            end = self._place
        if self._place + 1 == end:
            if not self._owes_sign and self._has_bracket:
                self._out.append(" " if self._sign == "+" else ">")
            elif self._leads is False:
                self._out.append(self._sign)
        self._place += 1

    def _character(self, word: str) -> None:
        letter = self._digits[self._next] if self._next < len(self._digits) else ""
        if letter == ".":
            self._out.append(".")
        elif self._last is not None and self._next > self._last and word != "0":
            return
        elif self._is_before_point():
            if not self._read.is_tight:
                self._out.append(" ")
            elif self._ends_in_point():
                self._out.append("0")
        elif letter:
            self._out.append(letter)
            self._is_in_number = True
