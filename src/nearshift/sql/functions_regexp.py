"""Functions over regular expressions. Source pages: "REGEXP_COUNT", "REGEXP_INSTR", "REGEXP_REPLACE", "REGEXP_SUBSTR", "POSIX operators".

Expressions are RE2's here, which reads those of Redshift save looking around and back references (parameter `p` allows them there).
"""

from __future__ import annotations

import re

from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal, text_like
from nearshift.sql.names import quote_literal
from nearshift.types import INTEGER, INTEGERS, VARCHAR

_BEYOND = re.compile(r"\(\?(?:[=!>]|<[=!])|(?<!\\)(?:\\\\)*\\[1-9]|[+*?}]\+")


def _options(call: Call, index: int) -> str:
    """Return DuckDB's options for the parameters: i ignores case, c does not; e and p are judged by the caller."""
    if len(call.values) <= index:
        return "c"
    word = _word(call, index)
    if set(word) - set("ciep"):
        raise call.error(f'regular expression parameter "{word}" is not known', sqlstate="22023", hint="Use c, i, e or p.")
    return "i" if "i" in word else "c"


def _word(call: Call, index: int) -> str:
    if len(call.values) <= index:
        return ""
    value = call.values[index]
    if not value.sql.startswith("'"):
        raise call.binder.unsupported(call.node, f"the parameters of {call.name.upper()} must be a literal")
    return value.sql[1:-1].lower()


def _pattern(call: Call) -> str:
    """Return the pattern's text after a look at a literal one for what RE2 does not have."""
    sql = call.values[1].sql
    if sql.startswith("'") and _BEYOND.search(sql):
        message = f"the pattern of {call.name.upper()} looks around or back, which is not supported"
        raise call.binder.unsupported(call.node, message, hint="Search with several simpler patterns.")
    return sql


def _from_position(call: Call, index: int) -> str:
    """Return the text from the position on; below 1 is the first character."""
    text = call.values[0].sql
    if len(call.values) <= index or call.values[index].integer == 1:
        return text
    return f"substring({text}, greatest({call.values[index].sql}, 1))"


def _replace(call: Call) -> Value:
    text, pattern = call.values[0], _pattern(call)
    replacement = call.values[2].sql if len(call.values) > 2 else "''"
    options = quote_literal(_options(call, 4) + "g")
    if len(call.values) > 3 and call.values[3].type.kind not in INTEGERS:
        raise call.error("the fourth argument of REGEXP_REPLACE is a position")
    part = _from_position(call, 3)
    replaced = f"regexp_replace({part}, {pattern}, nearshift_sql.pattern_groups({replacement}), {options})"
    if part == text.sql:
        return Value(replaced, VARCHAR)
    return Value(f"(substring({text.sql}, 1, greatest({call.values[3].sql} - 1, 0)) || {replaced})", VARCHAR)


def _substr(call: Call) -> Value:
    text, pattern = call.values[0], _pattern(call)
    occurrence = call.values[3].sql if len(call.values) > 3 else "1"
    group = "1" if "e" in _word(call, 4) else "0"
    if group == "1" and "(" not in pattern:
        group = "0"
    options = quote_literal(_options(call, 4))
    part = _from_position(call, 2)
    if occurrence == "1":
        return Value(f"regexp_extract({part}, {pattern}, {group}, {options})", text_like([text]))
    found = f"coalesce(regexp_extract_all({part}, {pattern}, {group}, {options})[{occurrence}], '')"
    is_outside = f"{occurrence} < 1 OR {occurrence} > length({text.sql})"
    return Value(f"CASE WHEN {text.sql} IS NULL OR {pattern} IS NULL OR {is_outside} THEN NULL ELSE {found} END", text_like([text]))


def _count(call: Call) -> Value:
    options = quote_literal(_options(call, 3))
    return Value(f"CAST(len(regexp_extract_all({_from_position(call, 2)}, {_pattern(call)}, 0, {options})) AS INTEGER)", INTEGER)


def _place(call: Call) -> Value:
    """Lower REGEXP_INSTR: the matches and what stands between them tell where each begins."""
    pattern, word = _pattern(call), _word(call, 5)
    if "e" in word and "(" in pattern:
        raise call.binder.unsupported(call.node, "REGEXP_INSTR with a subexpression is not supported", hint="Use REGEXP_SUBSTR with 'e'.")
    options = quote_literal(_options(call, 5))
    part = _from_position(call, 2)
    start = call.values[2].sql if len(call.values) > 2 else "1"
    occurrence = call.values[3].sql if len(call.values) > 3 else "1"
    end = call.values[4].sql if len(call.values) > 4 else "0"
    between, matches = f"string_split_regex({part}, {pattern}, {options})", f"regexp_extract_all({part}, {pattern}, 0, {options})"
    return Value(f"nearshift_sql.match_place({between}, {matches}, greatest({start}, 1), {occurrence}, {end})", INTEGER)


FUNCTIONS = (
    Function("regexp_replace", "ss?sis", VARCHAR, _replace, "REGEXP_REPLACE.html"),
    Function("regexp_substr", "ss?iis", text_like, _substr, "REGEXP_SUBSTR.html"),
    Function("regexp_count", "ss?is", INTEGER, _count, "REGEXP_COUNT.html"),
    Function("regexp_instr", "ss?iiis", INTEGER, _place, "REGEXP_INSTR.html"),
)
REFUSALS = (
    Refusal("regexp_matches", "is not a function of Redshift", "Use REGEXP_SUBSTR."),
    Refusal("regexp_split_to_array", "is not a function of Redshift", "Use SPLIT_TO_ARRAY."),
    Refusal("regexp_split_to_table", "is not a function of Redshift", "Unnest SPLIT_TO_ARRAY in FROM."),
)
