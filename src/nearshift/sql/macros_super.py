"""Macros for SUPER, which is JSON text in DuckDB. Each is a head and a body as CREATE MACRO wants them."""
# ruff: noqa: E501 - a macro is read best on few lines

from __future__ import annotations

from typing import Final

from nearshift.sql.macros_documents import DOCUMENT_MACROS, FRACTION_MACROS

# The order of kinds in ORDER BY ("Querying semi-structured data"): boolean, number, string, array, object.
_VALUES = (
    "super_text(j) AS CASE WHEN prefix(j, '\"') THEN json_extract_string(j, '$') "
    "WHEN prefix(j, '{') OR prefix(j, '[') OR j = 'null' THEN NULL ELSE CAST(j AS VARCHAR) END",
    "super_varchar(j, n) AS CASE WHEN prefix(j, '\"') THEN CASE WHEN strlen(j) <= n THEN json_extract_string(j, '$') "
    "ELSE nearshift_sql.cut_text(json_extract_string(j, '$'), n) END WHEN prefix(j, '{') OR prefix(j, '[') OR j = 'null' THEN NULL "
    "ELSE nearshift_sql.cut_text(CAST(j AS VARCHAR), n) END",
    "super_rank(j) AS CASE WHEN j IS NULL OR j = 'null' THEN NULL WHEN j = 'true' OR j = 'false' THEN 1 WHEN prefix(j, '\"') THEN 3 "
    "WHEN prefix(j, '[') THEN 4 WHEN prefix(j, '{') THEN 5 ELSE 2 END",
    "super_number(j) AS CASE WHEN nearshift_sql.super_rank(j) = 2 THEN CAST(j AS VARCHAR) END",
    "super_boolean(j) AS CASE WHEN j = 'true' THEN TRUE WHEN j = 'false' THEN FALSE WHEN nearshift_sql.super_rank(j) = 2 THEN "
    "CASE WHEN regexp_full_match(j, '-?[0-9]+') THEN TRY_CAST(CAST(j AS VARCHAR) AS HUGEINT) <> 0 END "
    "WHEN prefix(j, '\"') THEN TRY_CAST(json_extract_string(j, '$') AS BOOLEAN) END",
    "super_truth(j) AS CASE WHEN j = 'true' THEN TRUE WHEN j = 'false' THEN FALSE END",
    "strict_cast(j, cast_value, name) AS CASE WHEN cast_value IS NULL AND j IS NOT NULL AND j <> 'null' "
    "THEN error('nearshift:22P02:cannot cast SUPER value to ' || name) ELSE cast_value END",
    # A number's plain spelling: no exponent, no zeros behind the last digit, so that equal numbers have equal texts.
    "plain_number(t) AS CASE WHEN regexp_full_match(t, '-?[0-9]+') THEN CASE WHEN t = '-0' THEN '0' ELSE t END "
    "WHEN regexp_full_match(t, '-?[0-9]+\\.[0-9]+') THEN "
    "CASE WHEN regexp_full_match(t, '-?0\\.0+') THEN '0' ELSE regexp_replace(regexp_replace(t, '0+$', ''), '\\.$', '') END "
    "WHEN TRY_CAST(t AS DECIMAL(38, 10)) IS NOT NULL AND CAST(TRY_CAST(t AS DECIMAL(38, 10)) AS DOUBLE) = CAST(t AS DOUBLE) "
    "THEN regexp_replace(regexp_replace(CAST(TRY_CAST(t AS DECIMAL(38, 10)) AS VARCHAR), '0+$', ''), '\\.$', '') ELSE t END",
    "super_canonical(j) AS CAST(CASE WHEN j = 'null' THEN NULL WHEN nearshift_sql.super_rank(j) = 2 "
    "THEN nearshift_sql.plain_number(CAST(j AS VARCHAR)) WHEN suffix(j, ' ') THEN nearshift_sql.fractions_flagged(rtrim(j, ' ')) ELSE j END AS JSON)",
    # Numbers of one DOUBLE are told apart by 18 digits on either side of the point.
    "super_key(j) AS CASE WHEN j IS NULL OR j = 'null' THEN NULL ELSE {'rank': nearshift_sql.super_rank(j), "
    "'number': TRY_CAST(nearshift_sql.super_number(j) AS DOUBLE), 'digits': TRY_CAST(nearshift_sql.super_number(j) AS DECIMAL(38, 18)), "
    "'text': CASE WHEN prefix(j, '\"') THEN json_extract_string(j, '$') WHEN nearshift_sql.super_rank(j) = 2 "
    "THEN nearshift_sql.plain_number(CAST(j AS VARCHAR)) ELSE CAST(j AS VARCHAR) END} END",
    "super_decimal(j) AS TRY_CAST(nearshift_sql.super_number(j) AS DECIMAL(38, 10))",
    "number_json(x) AS CAST(nearshift_sql.plain_number(CAST(x AS VARCHAR)) AS JSON)",
    "is_exact(j) AS NOT contains(lower(j), 'e')",
)
_ARITHMETIC = (
    "super_add(a, b) AS CASE WHEN nearshift_sql.super_rank(a) = 2 AND nearshift_sql.super_rank(b) = 2 THEN "
    "nearshift_sql.number_json(nearshift_sql.super_decimal(a) + nearshift_sql.super_decimal(b)) "
    "WHEN nearshift_sql.super_rank(a) = 3 AND nearshift_sql.super_rank(b) = 3 "
    "THEN to_json(json_extract_string(a, '$') || json_extract_string(b, '$')) END",
    "super_subtract(a, b) AS nearshift_sql.number_json(nearshift_sql.super_decimal(a) - nearshift_sql.super_decimal(b))",
    "super_multiply(a, b) AS CASE WHEN nearshift_sql.super_rank(a) = 2 AND nearshift_sql.super_rank(b) = 2 THEN "
    "nearshift_sql.number_json(CAST(nearshift_sql.super_number(a) AS DECIMAL(28, 9)) * CAST(nearshift_sql.super_number(b) AS DECIMAL(10, 5))) END",
    "super_divide(a, b) AS CASE WHEN nearshift_sql.super_rank(a) = 2 AND nearshift_sql.super_rank(b) = 2 THEN "
    "CASE WHEN TRY_CAST(nearshift_sql.super_number(a) AS BIGINT) IS NOT NULL AND NOT contains(a, '.') AND NOT contains(b, '.') "
    "THEN CAST(CAST(nearshift_sql.divide_integer(CAST(nearshift_sql.super_number(a) AS BIGINT), "
    "TRY_CAST(nearshift_sql.super_number(b) AS BIGINT)) AS VARCHAR) AS JSON) "
    "ELSE nearshift_sql.number_json(CAST(nearshift_sql.divide_float(CAST(nearshift_sql.super_number(a) AS DOUBLE), "
    "CAST(nearshift_sql.super_number(b) AS DOUBLE)) AS DECIMAL(38, 10))) END END",
    "super_modulo(a, b) AS nearshift_sql.number_json(nearshift_sql.modulo(nearshift_sql.super_decimal(a), nearshift_sql.super_decimal(b)))",
)
_NESTED = (
    "super_list(j) AS CASE WHEN suffix(j, ' ') THEN list_transform(TRY_CAST(nearshift_sql.fractions_marked(j) AS JSON[]), "
    "lambda x: nearshift_sql.fractions_bare(x)) ELSE TRY_CAST(j AS JSON[]) END",
    "pairs_of(j) AS map_entries(CAST(json_transform(j, '\"MAP(VARCHAR,JSON)\"') AS MAP(VARCHAR, JSON)))",
    "super_pairs(j) AS CASE WHEN prefix(j, '{') THEN CASE WHEN suffix(j, ' ') THEN "
    "list_transform(nearshift_sql.pairs_of(nearshift_sql.fractions_marked(j)), "
    "lambda x: {'key': x.key, 'value': nearshift_sql.fractions_bare(x.value)}) ELSE nearshift_sql.pairs_of(j) END END",
    "super_array(l) AS CAST(nearshift_sql.fractions_flagged('[' || array_to_string("
    "list_transform(l, lambda x: coalesce(nearshift_sql.super_shown(x), 'null')), ',') || ']') AS JSON)",
    "array_concat(a, b) AS CASE WHEN prefix(a, '[') AND prefix(b, '[') THEN "
    "nearshift_sql.super_array(list_concat(nearshift_sql.super_list(a), nearshift_sql.super_list(b))) END",
    "get_number_attributes(j) AS CASE WHEN prefix(j, '{') THEN CAST(len(json_keys(j)) AS INTEGER) END",
    "get_array_length(a) AS CASE WHEN prefix(a, '[') THEN CAST(json_array_length(a) AS BIGINT) END",
    "subarray(a, s, n) AS CASE WHEN prefix(a, '[') THEN nearshift_sql.super_array(list_slice(nearshift_sql.super_list(a), "
    "CASE WHEN s < 0 THEN CAST(json_array_length(a) AS BIGINT) + s ELSE s END + 1, "
    "CASE WHEN s < 0 THEN CAST(json_array_length(a) AS BIGINT) + s ELSE s END + n)) END",
)
_KINDS = (
    "json_typeof(j) AS CASE nearshift_sql.super_rank(j) WHEN 1 THEN 'boolean' WHEN 2 THEN 'number' WHEN 3 THEN 'string' WHEN 4 THEN 'array' "
    "WHEN 5 THEN 'object' ELSE CASE WHEN j = 'null' THEN 'null' END END",
    "is_array(j) AS coalesce(nearshift_sql.super_rank(j) = 4, FALSE)",
    "is_object(j) AS coalesce(nearshift_sql.super_rank(j) = 5, FALSE)",
    "is_scalar(j) AS coalesce(nearshift_sql.super_rank(j) IN (1, 2, 3), FALSE)",
    "is_boolean(j) AS coalesce(nearshift_sql.super_rank(j) = 1, FALSE)",
    "is_varchar(j) AS coalesce(nearshift_sql.super_rank(j) = 3, FALSE)",
    "is_char(j) AS coalesce(nearshift_sql.super_rank(j) = 3 AND strlen(json_extract_string(j, '$')) = length(json_extract_string(j, '$')), FALSE)",
    "whole(j) AS CASE WHEN nearshift_sql.super_rank(j) = 2 AND regexp_full_match(j, '-?[0-9]+') THEN TRY_CAST(CAST(j AS VARCHAR) AS HUGEINT) END",
    "is_smallint(j) AS coalesce(nearshift_sql.whole(j) BETWEEN -32768 AND 32767, FALSE)",
    "is_integer(j) AS coalesce(nearshift_sql.whole(j) BETWEEN -2147483648 AND 2147483647, FALSE)",
    "is_bigint(j) AS coalesce(nearshift_sql.whole(j) BETWEEN -9223372036854775808 AND 9223372036854775807, FALSE)",
    "is_decimal(j) AS coalesce(nearshift_sql.super_rank(j) = 2 AND nearshift_sql.is_exact(j), FALSE)",
    "is_float(j) AS coalesce(nearshift_sql.super_rank(j) = 2 AND NOT nearshift_sql.is_exact(j), FALSE)",
)
SUPER_MACROS: Final = (*FRACTION_MACROS, *_VALUES, *_ARITHMETIC, *_NESTED, *_KINDS, *DOCUMENT_MACROS)
