"""Format strings of TO_CHAR, TO_DATE and TO_TIMESTAMP. Source pages: "Datetime format strings", "Numeric format strings"."""

from __future__ import annotations

import re

from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call
from nearshift.sql.names import quote_literal
from nearshift.types import SqlType, decimal

# Longest first, so that MONTH is not read as MON and TH.
_DATE_WORDS = (
    "MONTH", "HH24", "HH12", "YYYY", "IYYY", "A.M.", "P.M.", "B.C.", "A.D.", "YYY", "IYY", "DDD", "DAY", "MON", "YY", "IY", "MM", "RM",
    "WW", "IW", "DD", "DY", "ID", "CC", "HH", "MI", "SS", "MS", "US", "AM", "PM", "BC", "AD", "TZ", "OF", "Y", "I", "Q", "W", "D",
    "J", "FM", "TH",
)  # fmt: skip
_TOKEN = re.compile(r'"[^"]*"|' + "|".join(re.escape(word) for word in sorted(_DATE_WORDS, key=len, reverse=True)) + r"|.", re.S | re.I)
_PARSE_WORDS = {
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "MON": "%b", "MONTH": "%B", "DD": "%d", "DY": "%a", "DAY": "%A", "HH24": "%H", "HH12": "%I",
    "HH": "%I", "MI": "%M", "SS": "%S", "MS": "%g", "US": "%f", "AM": "%p", "PM": "%p", "DDD": "%j", "OF": "%z", "FM": "", "TZ": "%Z",
}  # fmt: skip


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
    return f"({' || '.join(parts)})" if parts else "''"


def _number(sql: str, width: int, *, is_filled: bool) -> str:
    text = f"CAST({sql} AS VARCHAR)"
    return f"lpad({text}, {width}, '0')" if is_filled else text


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
        "US": ("(date_part('microsecond', {0}) % 1000000)", 6), "J": ("CAST(floor(date_part('julian', {0})) AS BIGINT)", 1),
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
        return _case(token, f"CASE WHEN date_part('hour', {sql}) < 12 THEN 'am' ELSE 'pm' END")
    if word in {"A.M.", "P.M."}:
        return _case(token, f"CASE WHEN date_part('hour', {sql}) < 12 THEN 'a.m.' ELSE 'p.m.' END")
    if word in {"BC", "AD"}:
        return _case(token, f"CASE WHEN date_part('year', {sql}) > 0 THEN 'ad' ELSE 'bc' END")
    if word == "OF" and has_zone:
        return f"strftime({sql}, '%z')"
    if word in {"TZ", "OF"} and not has_zone:
        return "''"
    if word == "RM":
        romans = "['I','II','III','IV','V','VI','VII','VIII','IX','X','XI','XII']"
        return _case(token, f"rpad({romans}[date_part('month', {sql})], 4, ' ')")
    raise call.binder.unsupported(call.node, f'"{token}" in a format of TO_CHAR is not supported')


def parse_format(call: Call, form: str) -> str:
    """Return the strptime format of a TO_DATE or TO_TIMESTAMP format."""
    parts: list[str] = []
    for token in _tokens(form):
        word = token.upper()
        if word in _PARSE_WORDS:
            parts.append(_PARSE_WORDS[word])
        elif word in _DATE_WORDS:
            raise call.binder.unsupported(call.node, f'"{token}" in a format of {call.name.upper()} is not supported')
        else:
            parts.append(token.strip('"').replace("%", "%%"))
    return "".join(parts)


def number_format(call: Call, value: Value, form: str) -> str:
    """Return the text that shows a number by a format of 9, 0, point, comma, FM, S, MI and a leading $ or L."""
    body = form.upper()
    is_filled = not body.startswith("FM")
    body = body.removeprefix("FM")
    sign_words = [word for word in ("MI", "PR", "S", "SG", "PL") if body.endswith(word) or body.startswith(word)]
    core = re.fullmatch(r"(S)?([$L])?([09,G]*)(?:([.D])([09]*))?(MI|S)?", body)
    if core is None or not (core[3] or core[5]):
        raise call.binder.unsupported(call.node, f'the numeric format "{form}" is not supported', hint=", ".join(sign_words) or None)
    whole = core[3].replace("G", ",")
    fraction = core[5] or ""
    digits = len(whole.replace(",", ""))
    zeros = len(whole[whole.index("0") :].replace(",", "")) if "0" in whole else int(not fraction)
    currency = "$" if core[2] else ""
    width = len(whole) + (1 + len(fraction) if fraction else 0) + 1 + len(currency)
    number = f"CAST({value.sql} AS DECIMAL(38,{min(len(fraction), 18)}))"
    kept = "TRUE" if is_filled or "0" in fraction else "FALSE"
    commas = "TRUE" if "," in whole else "FALSE"
    shown = f"nearshift_sql.number_body(CAST(abs({number}) AS VARCHAR), {digits}, {zeros}, {commas}, {kept})"
    filled = "TRUE" if is_filled else "FALSE"
    mode = quote_literal(core[1] or ("S after" if core[6] == "S" else core[6] or ""))
    return f"nearshift_sql.number_text({shown}, {number} < 0, {width}, {filled}, {quote_literal(currency)}, {mode})"


def number_width(form: str) -> SqlType:
    """Return the DECIMAL that TO_NUMBER with this format gives ("TO_NUMBER")."""
    whole, _, fraction = form.upper().replace("D", ".").partition(".")
    places = sum(letter in "09" for letter in fraction)
    return decimal(min(max(sum(letter in "09" for letter in whole) + places, 1), 38), places)
