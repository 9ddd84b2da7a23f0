"""Macros for strings and their conversion. Each is a head and a body as CREATE MACRO wants them."""
# ruff: noqa: E501 - a macro is read best on few lines

from __future__ import annotations

from typing import Final

_CASTS = (
    # An explicit varchar(n) keeps n bytes and never half a character. No lambda here: one made the reference unnest twice as slow.
    "is_inside(x, n) AS hex(encode(x)[n + 1:n + 1]) BETWEEN '80' AND 'BF'",
    "cut_bytes(x, n) AS decode(encode(x)[1:CASE WHEN NOT nearshift_sql.is_inside(x, n) THEN n WHEN NOT nearshift_sql.is_inside(x, n - 1) "
    "THEN n - 1 WHEN NOT nearshift_sql.is_inside(x, n - 2) THEN n - 2 ELSE n - 3 END])",
    "cut_text(x, n) AS CASE WHEN x IS NULL OR strlen(x) <= n THEN x WHEN strlen(x) = length(x) THEN left(x, n) ELSE nearshift_sql.cut_bytes(x, n) END",
    # Assignment: only blanks may be cut ("Character types").
    "fit_text(x, n, name) AS CASE WHEN x IS NULL OR strlen(x) <= n THEN x WHEN strlen(rtrim(x, ' ')) <= n THEN nearshift_sql.cut_text(x, n) "
    "ELSE error('nearshift:22001:value too long for type ' || name) END",
    "text_integer(x) AS CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(x, '\\s*[+-]?[0-9]+\\s*') THEN CAST(x AS HUGEINT) "
    "ELSE error('nearshift:22P02:invalid input syntax for integer: \"' || x || '\"') END",
    "text_number(x, name) AS CASE WHEN x IS NULL THEN NULL WHEN TRY_CAST(x AS DOUBLE) IS NOT NULL THEN x "
    "ELSE error('nearshift:22P02:invalid input syntax for type ' || name || ': \"' || x || '\"') END",
    "text_boolean(x) AS CASE WHEN x IS NULL THEN NULL WHEN lower(trim(x)) IN ('t', 'true', 'y', 'yes', '1') THEN TRUE "
    "WHEN lower(trim(x)) IN ('f', 'false', 'n', 'no', '0') THEN FALSE "
    "ELSE error('nearshift:22P02:invalid input syntax for type boolean: \"' || x || '\"') END",
)
_STRINGS = (
    "left_part(x, n) AS left(x, n)",
    "right_part(x, n) AS right(x, n)",
    "lpad(x, n) AS lpad(x, CAST(greatest(n, 0) AS INTEGER), ' '), (x, n, fill) AS CASE WHEN fill = '' THEN left(x, CAST(greatest(n, 0) AS BIGINT)) "
    "ELSE lpad(x, CAST(greatest(n, 0) AS INTEGER), fill) END",
    "rpad(x, n) AS rpad(x, CAST(greatest(n, 0) AS INTEGER), ' '), (x, n, fill) AS CASE WHEN fill = '' THEN left(x, CAST(greatest(n, 0) AS BIGINT)) "
    "ELSE rpad(x, CAST(greatest(n, 0) AS INTEGER), fill) END",
    "substring_from(x, s, n) AS CASE WHEN n < 0 THEN error('nearshift:22011:negative substring length not allowed') "
    "ELSE substring(x, greatest(s, 1), greatest(CASE WHEN s < 1 THEN n + s - 1 ELSE n END, 0)) END",
    "substring_bytes2(x, s) AS x[greatest(s, 1):]",
    "substring_bytes3(x, s, n) AS CASE WHEN CASE WHEN s < 1 THEN n + s - 1 ELSE n END <= 0 THEN ''::BLOB "
    "ELSE x[greatest(s, 1):greatest(s, 1) + CASE WHEN s < 1 THEN n + s - 1 ELSE n END - 1] END",
    "split_part_at(x, d, n) AS CASE WHEN n < 1 THEN error('nearshift:22023:field position must be greater than zero') "
    "ELSE split_part(x, d, n) END",
    # A word begins after anything that is neither letter nor digit.
    "initcap(x) AS CASE WHEN x IS NOT NULL THEN array_to_string(list_transform(regexp_extract_all(lower(x), '[\\p{L}\\p{N}]+|[^\\p{L}\\p{N}]+'), "
    "lambda w: upper(left(w, 1)) || substring(w, 2)), '') END",
    "quote_ident(x) AS CASE WHEN regexp_full_match(x, '[a-z_][a-z0-9_]*') THEN x ELSE '\"' || replace(x, '\"', '\"\"') || '\"' END",
    "quote_literal(x) AS '''' || replace(replace(x, '\\', '\\\\'), '''', '''''') || ''''",
    "digit(c) AS strpos('0123456789abcdefghijklmnopqrstuvwxyz', lower(c)) - 1",
    # Hash prefixes are what it is used for, and a row in Python costs twenty times this.
    "strtol_hex(x) AS coalesce(TRY_CAST('0x' || regexp_extract(x, '^(?:0[xX])?([0-9a-fA-F]{1,15})$', 1) AS BIGINT), nearshift_strtol(x, 16))",
    "pattern_groups(x) AS regexp_replace(x, '\\$([0-9])', '\\\\\\1', 'g')",
    "match_place(b, m, start, n, past) AS CASE WHEN b IS NULL OR m IS NULL THEN NULL WHEN n < 1 OR n > len(m) THEN 0 "
    "WHEN len(b) <> len(m) + 1 THEN error('nearshift:0A000:REGEXP_INSTR of a pattern that matches an empty string is not supported') "
    "ELSE CAST(start + list_sum(list_transform(b[1:n], lambda t: length(t))) "
    "+ coalesce(list_sum(list_transform(m[1:CASE WHEN past = 0 THEN n - 1 ELSE n END], lambda t: length(t))), 0) AS INTEGER) END",
    "octet_place(part, x) AS CASE WHEN strpos(x, part) = 0 THEN 0 ELSE CAST(strlen(left(x, strpos(x, part) - 1)) + 1 AS INTEGER) END",
    "bits_of(h) AS array_to_string(list_transform(string_split(h, ''), lambda c: "
    "['0000','0001','0010','0011','0100','0101','0110','0111','1000','1001','1010','1011','1100','1101','1110','1111']"
    "[nearshift_sql.digit(c) + 1]), '')",
    "of_bits(x) AS CASE WHEN x IS NULL THEN NULL WHEN x = '' THEN ''::BLOB WHEN NOT regexp_full_match(x, '[01]*') "
    "THEN error('nearshift:22P02:invalid input syntax for binary') ELSE unhex(array_to_string(list_transform(range(0, (length(x) + 7) // 8), "
    "lambda i: printf('%02X', CAST(nearshift_strtol(substring(lpad(x, CAST((length(x) + 7) // 8 * 8 AS INTEGER), '0'), i * 8 + 1, 8), 2) AS INTEGER))), '')) END",
    "listagg_fits(x) AS CASE WHEN strlen(x) > 65535 THEN error('nearshift:22001:Result size exceeds LISTAGG limit') ELSE x END",
    "is_utf8(b) AS CASE WHEN b IS NULL THEN NULL ELSE try(decode(b)) IS NOT NULL END",
    "utf8_or_null(b) AS try(decode(b))",
    "utf8(b) AS CASE WHEN b IS NOT NULL AND try(decode(b)) IS NULL "
    "THEN error('nearshift:22021:invalid byte sequence for encoding UTF8') ELSE try(decode(b)) END",
    "bit_at(b, n) AS (CAST('0x' || hex(b[octet_length(b) - n // 8:octet_length(b) - n // 8]) AS INTEGER) >> CAST(n % 8 AS INTEGER)) & 1",
)
_FORMATS = (
    # A minus or PR's bracket anywhere makes the number negative; everything else that is no digit or point is decoration.
    "number_of(x, kept) AS CASE WHEN contains(x, '-') OR contains(x, '<') THEN '-' ELSE '' END || regexp_replace(x, '[^0-9.]', '', 'g')",
)
TEXT_MACROS: Final = (*_CASTS, *_STRINGS, *_FORMATS)
