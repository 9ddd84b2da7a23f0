"""Macros that read JSON texts into SUPER and write them out again.

DuckDB reads a JSON number with a fraction as a DOUBLE, so 50.00 would become 50.0 and the digits behind the seventeenth be lost. A document
with such numbers ends with a blank, and whoever takes something out of it first turns its fractions into strings with a mark, which DuckDB
leaves alone, and takes the marks off what comes out. Documents without fractions, a DynamoDB record is one, pay one look at their last
letter. What lacks the blank though it has fractions is read as before; what has it without need is read slower.
"""
# ruff: noqa: E501 - a macro is read best on few lines

from __future__ import annotations

from typing import Final

from nearshift.limits import SUPER_BYTES_MAX, SUPER_DEPTH_MAX

# No string of anybody's begins and ends so: a control character and a word of ours.
_BEGIN: Final = "\\u0001fraction:"
_END: Final = ":fraction\\u0001"
_NUMBER: Final = r"-?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?"
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
FRACTION_MACROS: Final = (
    # A point, digits, and what may follow a number: quick, and true for some strings too, which costs time only.
    "may_have_fractions(x) AS CASE WHEN contains(x, '.') THEN regexp_matches(x, '\\.[0-9]+\\s*(?:[\\],}eE]|$)') ELSE false END",
    # Strings and fractions are found in one pass, so that a string is never looked into. Both get a control character before and behind,
    # which no JSON text has as it is; strings lose them again. The whole match alone, without groups, is ten times faster to find.
    f"fractions_found(x) AS regexp_replace(x, '{_STRING}|{_NUMBER}', chr(1) || '\\0' || chr(2), 'gs')",
    "fractions_marked(x) AS CAST(replace(replace(replace(replace(nearshift_sql.fractions_found(x), chr(1) || '\"', '\"'), "
    f"'\"' || chr(2), '\"'), chr(1), '\"{_BEGIN}'), chr(2), '{_END}\"') AS JSON)",
    f"marks_off(x) AS replace(replace(x, '\"{_BEGIN}', ''), '{_END}\"', '')",
    f"fractions_bare(x) AS CAST(CASE WHEN contains(x, '\"{_BEGIN}') THEN nearshift_sql.marks_off(x) || CASE WHEN prefix(x, '\"') THEN '' "
    "ELSE ' ' END ELSE CAST(x AS VARCHAR) END AS JSON)",
    # A list's lambda names its argument, which would else be written out, and planned, as often as it is used: thrice for each nesting.
    "fractions_flagged(x) AS list_transform([x], lambda t: CASE WHEN nearshift_sql.may_have_fractions(t) THEN t || ' ' ELSE t END)[1]",
    # An argument that stands twice in a macro is computed twice, so the blank is put after looking at the text that came in.
    "document(x) AS CASE WHEN nearshift_sql.may_have_fractions(x) THEN CAST(nearshift_sql.marks_off(json(nearshift_sql.fractions_marked(x))) "
    "|| CASE WHEN prefix(ltrim(x), '{') OR prefix(ltrim(x), '[') THEN ' ' ELSE '' END AS JSON) ELSE json(x) END",
    "super_paths(j, paths) AS CASE WHEN suffix(j, ' ') THEN list_transform(json_extract(nearshift_sql.fractions_marked(j), paths), "
    "lambda x: nearshift_sql.fractions_bare(x)) ELSE json_extract(j, paths) END",
    "super_path(j, path) AS CASE WHEN suffix(j, ' ') THEN nearshift_sql.fractions_bare(json_extract(nearshift_sql.fractions_marked(j), path)) "
    "ELSE json_extract(j, path) END",
    "super_shown(j) AS CASE WHEN suffix(j, ' ') THEN rtrim(j, ' ') ELSE CAST(j AS VARCHAR) END",
    "bare_text(j) AS CASE WHEN prefix(j, '\"') OR j = 'null' THEN json_extract_string(j, '$') ELSE nearshift_sql.super_shown(j) END",
    "path_text(j, path) AS CASE WHEN suffix(j, ' ') THEN nearshift_sql.bare_text(nearshift_sql.super_path(j, path)) "
    "ELSE json_extract_string(j, path) END",
)
DOCUMENT_MACROS: Final = (
    # DuckDB accepts a comma before a closing bracket, NaN and Infinity; JSON does not. The texts are searched first, since the strings of a
    # document must be taken out before anything in it can be judged.
    "may_be_loose(x) AS regexp_matches(x, ',[ \\t\\r\\n]*[\\]}]') OR contains(x, 'NaN') OR contains(x, 'nan') OR contains(x, 'NAN') "
    "OR contains(x, 'Inf') OR contains(x, 'inf') OR contains(x, 'INF')",
    "is_loose(x) AS regexp_matches(regexp_replace(x, '\"(?:[^\"\\\\]|\\\\.)*\"', '\"\"', 'gs'), ',\\s*[\\]}]|(?i:nan|inf)')",
    # CASE and not AND: an AND outside WHERE evaluates both sides, and taking the strings out costs six times the rest.
    "strict_json(x) AS CASE WHEN NOT json_valid(x) THEN false WHEN nearshift_sql.may_be_loose(x) THEN NOT nearshift_sql.is_loose(x) "
    "ELSE true END",
    # Two equal names in the outermost object; deeper ones are not searched, since that would double the cost of every record.
    "has_twins(x) AS len(json_keys(x)) <> len(list_distinct(json_keys(x)))",
    # DuckDB's VARIANT keeps the last of equal names; only documents that need it go that way.
    "without_twins(j) AS CASE WHEN nearshift_sql.has_twins(j) THEN CASE WHEN suffix(j, ' ') THEN nearshift_sql.fractions_bare(CAST(CAST(nearshift_sql.fractions_marked(j) AS VARIANT) AS JSON)) ELSE CAST(CAST(j AS VARIANT) AS JSON) END ELSE j END",
    # What is nested deeper than SUPER allows has as many brackets to close: few texts are walked through, and those of up to 2 KB not even
    # searched. What walks raises the error itself: a second macro for its text would take a millisecond to plan.
    f"beyond_limits(x, raises) AS CASE WHEN strlen(x) <= {2 * SUPER_DEPTH_MAX} THEN false "
    f"WHEN strlen(x) - strlen(replace(replace(x, ']', ''), '}}', '')) <= {SUPER_DEPTH_MAX} AND strlen(x) <= {SUPER_BYTES_MAX} THEN false "
    "ELSE nearshift_beyond_limits(x, raises) END",
    "json_parse(x) AS CASE WHEN x IS NULL THEN NULL WHEN NOT nearshift_sql.strict_json(x) "
    "THEN error('nearshift:22P02:JSON parsing error') WHEN nearshift_sql.has_twins(x) "
    "THEN error('nearshift:22P02:JSON parsing error: duplicate attribute') WHEN nearshift_sql.beyond_limits(x, true) THEN NULL "
    "ELSE nearshift_sql.document(x) END",
    "json_parse_lax(x) AS CASE WHEN NOT nearshift_sql.strict_json(x) THEN NULL WHEN nearshift_sql.beyond_limits(x, false) THEN NULL "
    "WHEN NOT nearshift_sql.has_twins(x) THEN nearshift_sql.document(x) END",
    "json_parse_dedup(x) AS CASE WHEN x IS NULL THEN NULL WHEN NOT nearshift_sql.strict_json(x) "
    "THEN error('nearshift:22P02:JSON parsing error') WHEN nearshift_sql.beyond_limits(x, true) THEN NULL "
    "ELSE nearshift_sql.without_twins(nearshift_sql.document(x)) END",
    "json_parse_lax_dedup(x) AS CASE WHEN NOT nearshift_sql.strict_json(x) THEN NULL WHEN nearshift_sql.beyond_limits(x, false) THEN NULL "
    "ELSE nearshift_sql.without_twins(nearshift_sql.document(x)) END",
    # CASE and not AND: an AND outside WHERE evaluates both sides, and has_twins fails on what is no JSON.
    "can_json_parse(x) AS CASE WHEN x IS NULL THEN NULL WHEN NOT nearshift_sql.strict_json(x) THEN false "
    "WHEN nearshift_sql.beyond_limits(x, false) THEN false ELSE NOT nearshift_sql.has_twins(x) END",
    "json_serialize(j) AS CASE WHEN strlen(j) > 16000000 THEN error('nearshift:22001:value too long for type character varying') "
    "ELSE nearshift_sql.super_shown(j) END",
    "is_valid_json(x) AS CASE WHEN x IS NULL THEN NULL ELSE nearshift_sql.strict_json(x) AND prefix(ltrim(x), '{') END",
    "is_valid_json_array(x) AS CASE WHEN x IS NULL THEN NULL ELSE nearshift_sql.strict_json(x) AND prefix(ltrim(x), '[') END",
    "json_text(x, lax) AS CASE WHEN x IS NULL THEN NULL WHEN json_valid(x) THEN CAST(nearshift_sql.fractions_flagged(x) AS JSON) WHEN lax THEN NULL "
    "ELSE error('nearshift:22P02:JSON parsing error') END",
    "json_array_length(j) AS CASE WHEN j IS NULL THEN NULL WHEN prefix(ltrim(j), '[') THEN CAST(json_array_length(j) AS INTEGER) "
    "ELSE error('nearshift:22P02:JSON array expected') END",
    "array_element_text(j, n) AS CASE WHEN n < 0 THEN NULL ELSE nearshift_sql.path_text(j, '$[' || CAST(n AS VARCHAR) || ']') END",
)
