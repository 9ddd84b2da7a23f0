"""String, hash and varbyte functions. Source pages: "String functions", "Hash functions", "VARBYTE operators and functions"."""

from __future__ import annotations

from nearshift.sql.bind_casts import text_of
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal, text_like
from nearshift.sql.names import quote_literal
from nearshift.types import BIGINT, BOOLEAN, INTEGER, STRINGS, VARBYTE, VARCHAR, Kind, varchar


def _length(call: Call) -> Value:
    value = call.values[0]
    if value.type.kind is Kind.VARBYTE:
        return Value(f"CAST(octet_length({value.sql}) AS INTEGER)", INTEGER)
    text = f"rtrim({value.sql}, ' ')" if value.type.kind is Kind.CHAR else value.sql
    return Value(f"CAST(length({text}) AS INTEGER)", INTEGER)


def _octets(call: Call) -> Value:
    value = call.values[0]
    sql = f"octet_length({value.sql})" if value.type.kind is Kind.VARBYTE else f"strlen({value.sql})"
    return Value(f"CAST({sql} AS INTEGER)", INTEGER)


def substring(call: Call) -> Value:
    """Lower SUBSTRING; a start below 1 counts from before the string ("SUBSTRING function")."""
    value, start = call.values[0], call.values[1]
    length = call.values[2] if len(call.values) > 2 else None
    kind = VARBYTE if value.type.kind is Kind.VARBYTE else text_like([value])
    if value.type.kind is Kind.VARBYTE:
        end = "" if length is None else f", {length.sql}"
        return Value(f"nearshift_sql.substring_bytes{2 if length is None else 3}({value.sql}, {start.sql}{end})", kind)
    if start.integer is not None and start.integer >= 1:
        if length is None:
            return Value(f"substring({value.sql}, {start.sql})", kind)
        if length.integer is not None and length.integer >= 0:
            return Value(f"substring({value.sql}, {start.sql}, {length.sql})", kind)
    if length is None:
        return Value(f"substring({value.sql}, greatest({start.sql}, 1))", kind)
    return Value(f"nearshift_sql.substring_from({value.sql}, {start.sql}, {length.sql})", kind)


def _trimmed(word: str) -> str:
    return f"{word}({{args}})"


def _split_part(call: Call) -> Value:
    text, delimiter, part = call.values
    if part.integer is not None and part.integer < 1:
        raise call.error("field position must be greater than zero", sqlstate="22023")
    if part.integer is not None:
        return Value(f"split_part({text.sql}, {delimiter.sql}, {part.sql})", text_like([text]))
    return Value(f"nearshift_sql.split_part_at({text.sql}, {delimiter.sql}, {part.sql})", text_like([text]))


def _concat(call: Call) -> Value:
    one, two = call.values
    if Kind.VARBYTE in {one.type.kind, two.type.kind}:
        if one.type.kind is not two.type.kind:
            raise call.error("CONCAT takes two strings or two VARBYTE values")
        return Value(f"({one.sql} || {two.sql})", VARBYTE)
    return Value(f"({text_of(one)} || {text_of(two)})", VARCHAR)


def _strtol(call: Call) -> Value:
    text, base = call.values
    if base.integer is not None and not 2 <= base.integer <= 36:
        raise call.error("base must be between 2 and 36", sqlstate="22023")
    if base.integer == 16:
        return Value(f"nearshift_sql.strtol_hex({text.sql})", BIGINT)
    return Value(f"nearshift_sql.strtol({text.sql}, {base.sql})", BIGINT)


def _sha2(call: Call) -> Value:
    text, bits = call.values
    if bits.integer not in {0, 256}:
        raise call.binder.unsupported(call.node, "SHA2 with this number of bits is not supported", hint="Use SHA2(value, 256).")
    return Value(f"sha256({text.sql})", varchar(128))


def _crc32(call: Call) -> Value:
    return Value(f"nearshift_sql.crc32_hex({call.values[0].sql})", varchar(8))


def _from_varbyte(call: Call) -> Value:
    value, form = call.values
    word = (form.literal or "").lower() if form.literal is not None else _known_text(form)
    forms = {"utf8": "decode({0})", "utf-8": "decode({0})", "hex": "lower(hex({0}))", "base64": "to_base64({0})", "binary": ""}
    template = forms.get(word, "")
    if not template:
        raise call.binder.unsupported(call.node, f'format "{word}" is not supported', hint="Use 'utf-8', 'hex' or 'base64'.")
    return Value(template.format(value.sql), VARCHAR)


def _to_varbyte(call: Call) -> Value:
    value, form = call.values
    word = (form.literal or "").lower() if form.literal is not None else _known_text(form)
    forms = {"utf8": "encode({0})", "utf-8": "encode({0})", "hex": "unhex({0})", "base64": "from_base64({0})"}
    template = forms.get(word, "")
    if not template:
        raise call.binder.unsupported(call.node, f'format "{word}" is not supported', hint="Use 'utf-8', 'hex' or 'base64'.")
    return Value(template.format(value.sql), VARBYTE)


def _known_text(value: Value) -> str:
    return value.sql[1:-1].lower() if value.sql.startswith("'") else ""


def _hashable(value: Value) -> str:
    return value.sql


def _pattern_options(call: Call, index: int) -> str:
    """Return DuckDB's options for the parameters of a REGEXP function: i ignores case, c does not, e and p are read and change nothing."""
    if len(call.values) <= index:
        return "c"
    word = _known_text(call.values[index])
    if set(word) - set("ciep"):
        raise call.error(f'regular expression parameter "{word}" is not known', sqlstate="22023", hint="Use c, i, e or p.")
    return "i" if "i" in word else "c"


def _regexp_replace(call: Call) -> Value:
    text, pattern = call.values[0], call.values[1]
    replacement = call.values[2].sql if len(call.values) > 2 else "''"
    options = quote_literal(_pattern_options(call, 4) + "g")
    position = call.values[3].sql if len(call.values) > 3 else None
    if position is not None and call.values[3].type.kind in STRINGS:
        raise call.error("the fourth argument of REGEXP_REPLACE is a position")
    replaced = f"regexp_replace({{0}}, {pattern.sql}, nearshift_sql.pattern_groups({replacement}), {options})"
    if position is None or position == "1":
        return Value(replaced.format(text.sql), VARCHAR)
    rest = replaced.format(f"substring({text.sql}, {position})")
    return Value(f"(substring({text.sql}, 1, {position} - 1) || {rest})", VARCHAR)


def _regexp_substr(call: Call) -> Value:
    text, pattern = call.values[0], call.values[1]
    position = call.values[2].sql if len(call.values) > 2 else "1"
    occurrence = call.values[3].sql if len(call.values) > 3 else "1"
    group = "1" if len(call.values) > 4 and "e" in _known_text(call.values[4]) else "0"
    options = quote_literal(_pattern_options(call, 4))
    part = text.sql if position == "1" else f"substring({text.sql}, {position})"
    if occurrence == "1":
        return Value(f"regexp_extract({part}, {pattern.sql}, {group}, {options})", text_like([text]))
    found = f"regexp_extract_all({part}, {pattern.sql}, {group}, {options})"
    return Value(f"CASE WHEN {text.sql} IS NOT NULL THEN coalesce({found}[{occurrence}], '') END", text_like([text]))


def _regexp_count(call: Call) -> Value:
    text, pattern = call.values[0], call.values[1]
    position = call.values[2].sql if len(call.values) > 2 else "1"
    options = quote_literal(_pattern_options(call, 3))
    part = text.sql if position == "1" else f"substring({text.sql}, {position})"
    return Value(f"CAST(len(regexp_extract_all({part}, {pattern.sql}, 0, {options})) AS INTEGER)", INTEGER)


def _regexp_instr(call: Call) -> Value:
    text, pattern = call.values[0], call.values[1]
    if len(call.values) > 2 and call.values[2].integer not in {None, 1}:
        raise call.binder.unsupported(call.node, "REGEXP_INSTR with a position is not supported", hint="Search in SUBSTRING(…).")
    if len(call.values) > 3:
        raise call.binder.unsupported(call.node, "REGEXP_INSTR with an occurrence is not supported")
    return Value(f"nearshift_sql.pattern_place({text.sql}, {pattern.sql})", INTEGER)


def _is_utf8(call: Call) -> Value:
    value = call.values[0]
    if value.type.kind is Kind.VARBYTE:
        return Value(f"nearshift_sql.is_utf8({value.sql})", BOOLEAN)
    return Value(f"({value.sql} IS NOT NULL)", BOOLEAN)


def _getbit(call: Call) -> Value:
    return Value(f"nearshift_sql.bit_at({call.values[0].sql}, {call.values[1].sql})", INTEGER)


FUNCTIONS = (
    Function("len", "x", INTEGER, _length, "r_LEN.html"),
    Function("length", "x", INTEGER, _length, "r_LENGTH.html"),
    Function("char_length", "x", INTEGER, _length, "r_CHAR_LENGTH.html"),
    Function("character_length", "x", INTEGER, _length, "r_CHARACTER_LENGTH.html"),
    Function("textlen", "x", INTEGER, _length, "r_TEXTLEN.html"),
    Function("octet_length", "x", INTEGER, _octets, "r_OCTET_LENGTH.html"),
    Function("bytes_length", "x", INTEGER, _octets, "r_OCTET_LENGTH.html"),
    Function("upper", "s", text_like, "upper({0})", "r_UPPER.html"),
    Function("lower", "s", text_like, "lower({0})", "r_LOWER.html"),
    Function("initcap", "s", text_like, "nearshift_sql.initcap({0})", "r_INITCAP.html"),
    Function("reverse", "s", text_like, "reverse({0})", "r_REVERSE.html"),
    Function("repeat", "si", VARCHAR, "repeat({0}, {1})", "r_REPEAT.html"),
    Function("replicate", "si", VARCHAR, "repeat({0}, {1})", "r_REPEAT.html"),
    Function("replace", "sss", VARCHAR, "replace({0}, {1}, {2})", "r_REPLACE.html"),
    Function("translate", "sss", text_like, "translate({0}, {1}, {2})", "r_TRANSLATE.html"),
    Function("substring", "xi?i", text_like, substring, "r_SUBSTRING.html"),
    Function("substr", "xi?i", text_like, substring, "r_SUBSTRING.html"),
    Function("left", "si", text_like, "nearshift_sql.left_part({0}, {1})", "r_LEFT.html"),
    Function("right", "si", text_like, "nearshift_sql.right_part({0}, {1})", "r_LEFT.html"),
    Function("lpad", "si?s", VARCHAR, "nearshift_sql.lpad({args})", "r_LPAD.html"),
    Function("rpad", "si?s", VARCHAR, "nearshift_sql.rpad({args})", "r_LPAD.html"),
    Function("ltrim", "s?s", text_like, _trimmed("ltrim"), "r_LTRIM.html"),
    Function("rtrim", "s?s", text_like, _trimmed("rtrim"), "r_RTRIM.html"),
    Function("btrim", "s?s", text_like, _trimmed("trim"), "r_BTRIM.html"),
    Function("concat", "**", VARCHAR, _concat, "r_CONCAT.html"),
    Function("strpos", "ss", INTEGER, "CAST(strpos({0}, {1}) AS INTEGER)", "r_STRPOS.html"),
    Function("charindex", "ss", INTEGER, "CAST(strpos({1}, {0}) AS INTEGER)", "r_CHARINDEX.html"),
    Function("position", "ss", INTEGER, "CAST(strpos({1}, {0}) AS INTEGER)", "r_POSITION.html"),
    Function("split_part", "ssi", text_like, _split_part, "SPLIT_PART.html"),
    Function("ascii", "s", INTEGER, "ascii({0})", "r_ASCII.html"),
    Function("chr", "i", varchar(4), "chr(CAST({0} AS INTEGER))", "r_CHR.html"),
    Function("quote_ident", "s", VARCHAR, "nearshift_sql.quote_ident({0})", "r_QUOTE_IDENT.html"),
    Function("quote_literal", "s", VARCHAR, "nearshift_sql.quote_literal({0})", "r_QUOTE_LITERAL.html"),
    Function("strtol", "si", BIGINT, _strtol, "r_STRTOL.html"),
    Function("md5", "s", varchar(32), "md5({0})", "r_MD5.html"),
    Function("sha", "s", varchar(40), "sha1({0})", "SHA1.html"),
    Function("sha1", "s", varchar(40), "sha1({0})", "SHA1.html"),
    Function("func_sha1", "s", varchar(40), "sha1({0})", "FUNC_SHA1.html"),
    Function("sha2", "si", varchar(128), _sha2, "SHA2.html"),
    Function("crc32", "s", varchar(8), _crc32, "crc32-function.html"),
    Function("fnv_hash", "x?i", BIGINT, "nearshift_sql.fnv_hash({args})", "r_FNV_HASH.html"),
    Function("regexp_replace", "ss?sis", VARCHAR, _regexp_replace, "REGEXP_REPLACE.html"),
    Function("regexp_substr", "ss?iis", text_like, _regexp_substr, "REGEXP_SUBSTR.html"),
    Function("regexp_count", "ss?is", INTEGER, _regexp_count, "REGEXP_COUNT.html"),
    Function("regexp_instr", "ss?iiis", INTEGER, _regexp_instr, "REGEXP_INSTR.html"),
    Function("from_varbyte", "vs", VARCHAR, _from_varbyte, "r_FROM_VARBYTE.html"),
    Function("to_varbyte", "ss", VARBYTE, _to_varbyte, "r_TO_VARBYTE.html"),
    Function("to_hex", "x", VARCHAR, "lower(hex({0}))", "r_TO_HEX.html"),
    Function("from_hex", "s", VARBYTE, "unhex({0})", "r_FROM_HEX.html"),
    Function("getbit", "vi", INTEGER, _getbit, "r_GETBIT.html"),
    Function("get_bit", "vi", INTEGER, _getbit, "r_GETBIT.html"),
    Function("is_utf8", "x", BOOLEAN, _is_utf8, "materialized-view-streaming-ingestion.html"),
)
_LATER = "is not kept by nearshift"
REFUSALS = (
    Refusal("soundex", _LATER), Refusal("difference", _LATER), Refusal("farmfingerprint64", _LATER), Refusal("checksum", _LATER),
    Refusal("murmur3_32_hash", _LATER), Refusal("string_agg", "is not a function of Redshift", "Use LISTAGG."),
    Refusal("overlay", "is not a function of Redshift", "Use SUBSTRING and ||."), Refusal("format", "is not a function of Redshift"),
    Refusal("encode", "is not a function of Redshift", "Use FROM_VARBYTE."), Refusal("collate", _LATER),
    Refusal("regexp_matches", "is not a function of Redshift", "Use REGEXP_SUBSTR."),
)  # fmt: skip

