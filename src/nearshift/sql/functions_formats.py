"""Format strings of TO_CHAR, TO_DATE and TO_TIMESTAMP. Source pages: "Datetime format strings", "Numeric format strings"."""

from __future__ import annotations

import re

from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call
from nearshift.sql.names import quote_literal
from nearshift.sql.native_dates import format_words
from nearshift.sql.native_numbers import check_format
from nearshift.types import SqlType, decimal

# Longest first, so that MONTH is not read as MON and TH.
_DATE_WORDS = (
    "MONTH", "HH24", "HH12", "YYYY", "IYYY", "A.M.", "P.M.", "B.C.", "A.D.", "YYY", "IYY", "DDD", "DAY", "MON", "YY", "IY", "MM", "RM",
    "WW", "IW", "DD", "DY", "ID", "CC", "HH", "MI", "SS", "MS", "US", "AM", "PM", "BC", "AD", "TZ", "OF", "Y", "I", "Q", "W", "D",
    "J", "FM", "TH",
)  # fmt: skip
_TOKEN = re.compile(r'"[^"]*"|' + "|".join(re.escape(word) for word in sorted(_DATE_WORDS, key=len, reverse=True)) + r"|.", re.S | re.I)
# Numbers of a fixed width between separators, which strptime reads as Redshift does when it takes them at all.
_PLAIN_WORDS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M", "SS": "%S"}


def _tokens(form: str) -> list[str]:
    return _TOKEN.findall(form)


def date_format(call: Call, sql: str, form: str, *, has_zone: bool) -> str:
    """Return the text that shows a timestamp by a format."""
    parts: list[str] = []
    is_filled = True
    for token in _tokens(form):
        word = token.upper()
        if token.startswith('"'):
            parts.append(quote_literal(token[1:-1]))
        elif word == "FM":
            is_filled = False
            continue
        elif word in _DATE_WORDS:
            parts.append(_date_part(call, sql, token, is_filled=is_filled, has_zone=has_zone))
        else:
            parts.append(quote_literal(token))
        if word != "FM" and not token.startswith('"') and word in _DATE_WORDS:
            is_filled = True
    if all(part.startswith("'") for part in parts):
        return f"CASE WHEN {sql} IS NOT NULL THEN {' || '.join(parts) or quote_literal('')} END"
    return f"({' || '.join(parts)})"


def _number(sql: str, width: int, *, is_filled: bool) -> str:
    text = f"CAST({sql} AS VARCHAR)"
    if not is_filled or width == 1:
        return text
    wide = f"CAST(greatest({width}, length({text})) AS INTEGER)" if width == 4 else str(width)  # a year may have more digits
    return f"lpad({text}, {wide}, '0')"


def _case(token: str, text: str) -> str:
    if token.isupper():
        return f"upper({text})"
    return f"lower({text})" if token.islower() else text


def _date_part(call: Call, sql: str, token: str, *, is_filled: bool, has_zone: bool) -> str:
    word = token.upper()
    parts = {
        "YYYY": ("date_part('year', {0})", 4), "YYY": ("date_part('year', {0}) % 1000", 3), "YY": ("date_part('year', {0}) % 100", 2),
        "Y": ("date_part('year', {0}) % 10", 1), "IYYY": ("date_part('isoyear', {0})", 4), "IYY": ("date_part('isoyear', {0}) % 1000", 3),
        "IY": ("date_part('isoyear', {0}) % 100", 2), "I": ("date_part('isoyear', {0}) % 10", 1), "Q": ("date_part('quarter', {0})", 1),
        "MM": ("date_part('month', {0})", 2), "WW": ("((date_part('doy', {0}) - 1) // 7 + 1)", 2), "IW": ("date_part('week', {0})", 2),
        "W": ("((date_part('day', {0}) - 1) // 7 + 1)", 1), "DDD": ("date_part('doy', {0})", 3), "DD": ("date_part('day', {0})", 2),
        "D": ("(date_part('dow', {0}) + 1)", 1), "ID": ("date_part('isodow', {0})", 1), "CC": ("date_part('century', {0})", 2),
        "HH24": ("date_part('hour', {0})", 2), "HH12": ("((date_part('hour', {0}) + 11) % 12 + 1)", 2),
        "HH": ("((date_part('hour', {0}) + 11) % 12 + 1)", 2), "MI": ("date_part('minute', {0})", 2),
        "SS": ("(date_part('second', {0}))", 2), "MS": ("(date_part('microsecond', {0}) // 1000 % 1000)", 3),
        "US": ("(date_part('microsecond', {0}) % 1000000)", 6), "J": ("(CAST({0} AS DATE) - DATE '1970-01-01' + 2440588)", 1),
    }  # fmt: skip
    if word in parts:
        template, width = parts[word]
        return _number(template.format(sql), width, is_filled=is_filled)
    if word in {"MONTH", "DAY"}:
        name = _case(token, f"strftime({sql}, '{'%B' if word == 'MONTH' else '%A'}')")
        return f"rpad({name}, 9, ' ')" if is_filled else name
    if word in {"MON", "DY"}:
        return _case(token, f"strftime({sql}, '{'%b' if word == 'MON' else '%a'}')")
    if word in {"AM", "PM"}:
        return _case(token, f"CASE WHEN date_part('hour', {sql}) < 12 THEN 'am' WHEN {sql} IS NOT NULL THEN 'pm' END")
    if word in {"A.M.", "P.M."}:
        return _case(token, f"CASE WHEN date_part('hour', {sql}) < 12 THEN 'a.m.' WHEN {sql} IS NOT NULL THEN 'p.m.' END")
    if word in {"BC", "AD"}:
        return _case(token, f"CASE WHEN date_part('year', {sql}) > 0 THEN 'ad' WHEN {sql} IS NOT NULL THEN 'bc' END")
    if word == "OF" and has_zone:
        return f"strftime({sql}, '%z')"
    if word == "OF":
        return "'+00'"
    if word == "TZ":
        # A timestamp without a zone counts as UTC ("TO_CHAR": 02:30:00 UTC).
        return f"strftime({sql}, '%Z')" if has_zone else "'UTC'" if token.isupper() else "'utc'"
    if word == "RM":
        romans = "['I','II','III','IV','V','VI','VII','VIII','IX','X','XI','XII']"
        return _case(token, f"rpad({romans}[date_part('month', {sql})], 4, ' ')")
    raise call.binder.unsupported(call.node, f'"{token}" in a format of TO_CHAR is not supported')


def check_words(call: Call, form: str) -> None:
    """Refuse a format of TO_DATE or TO_TIMESTAMP with a word that cannot be read."""
    try:
        words = format_words(form)
    except ValueError as error:
        message = f'"{error}" in a format of {call.name.upper()} is not supported'
        raise call.binder.unsupported(call.node, message) from error
    if any(word.upper() in {"TZ", "OF"} for word in _tokens(form)) or not words:
        raise call.error("formats with a time zone cannot be read", sqlstate="22023", hint="Leave TZ and OF out.")


def plain_format(form: str) -> str | None:
    """Return strptime's spelling of a format of plain numbers and separators, or None."""
    parts: list[str] = []
    for token in _tokens(form):
        plain = _PLAIN_WORDS.get(token.upper())
        if plain is None and (token.upper() in _DATE_WORDS or token not in "-/.: "):
            return None
        parts.append(plain or token)
    return "".join(parts) if "%Y" in parts else None


def number_format(call: Call, value: Value, form: str) -> str:
    """Return the text that shows a number by a format."""
    reason = check_format(form)
    if reason is not None:
        raise call.binder.unsupported(call.node, reason, hint="Use 9, 0, point, comma, D, G, FM, S, MI, PL, SG, PR, L, $, RN and TH.")
    return f"nearshift_number_text(CAST({value.sql} AS VARCHAR), {quote_literal(form)})"


def number_width(form: str) -> SqlType:
    """Return the DECIMAL that TO_NUMBER with this format gives ("TO_NUMBER")."""
    whole, _, fraction = form.upper().replace("D", ".").partition(".")
    places = sum(letter in "09" for letter in fraction)
    return decimal(min(max(sum(letter in "09" for letter in whole) + places, 1), 38), places)
