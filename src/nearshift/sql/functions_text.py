"""String and varbyte functions. Source pages: "String functions", "VARBYTE functions and operators", "Data type formatting functions"."""

from __future__ import annotations

from nearshift.sql.bind_casts import text_of
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal, text_like
from nearshift.types import BIGINT, BOOLEAN, INTEGER, INTEGERS, STRINGS, VARBYTE, VARCHAR, Kind, decimal, varchar


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
    return Value(f"nearshift_strtol({text.sql}, {base.sql})", BIGINT)


def _from_varbyte(call: Call) -> Value:
    value, form = call.values
    word = (form.literal or "").lower() if form.literal is not None else _known_text(form)
    forms = {
        "utf8": "nearshift_sql.utf8({0})", "utf-8": "nearshift_sql.utf8({0})", "hex": "lower(hex({0}))", "base64": "to_base64({0})",
        "binary": "nearshift_sql.bits_of(hex({0}))",
    }  # fmt: skip
    return Value(_form(call, forms, word).format(value.sql), VARCHAR)


def _to_varbyte(call: Call) -> Value:
    value, form = call.values
    word = (form.literal or "").lower() if form.literal is not None else _known_text(form)
    forms = {
        "utf8": "encode({0})", "utf-8": "encode({0})", "hex": "unhex({0})", "base64": "from_base64({0})",
        "binary": "nearshift_sql.of_bits({0})",
    }  # fmt: skip
    return Value(_form(call, forms, word).format(value.sql), VARBYTE)


def _form(call: Call, forms: dict[str, str], word: str) -> str:
    template = forms.get(word)
    if template is None:
        raise call.error(f'format "{word}" is not known', sqlstate="22023", hint="Use 'utf-8', 'hex', 'base64' or 'binary'.")
    return template


def _to_hex(call: Call) -> Value:
    value = call.values[0]
    if value.type.kind in INTEGERS:
        # "TO_HEX": a number is shown without leading zeros, a negative one by all digits of its width.
        width = "UINTEGER" if value.type.kind is not Kind.BIGINT else "UBIGINT"
        modulus = 2**32 if width == "UINTEGER" else 2**64
        number = f"CAST({value.sql} AS HUGEINT)"
        return Value(f"lower(to_hex(CAST(CASE WHEN {number} < 0 THEN {number} + {modulus} ELSE {number} END AS {width})))", VARCHAR)
    if value.type.kind not in STRINGS | {Kind.VARBYTE, Kind.UNKNOWN}:
        raise call.error(f"function to_hex({value.type.kind.value}) does not exist", hint="Cast the argument to VARBYTE.")
    return Value(f"lower(hex({value.sql}))", VARCHAR)


def _known_text(value: Value) -> str:
    return value.sql[1:-1].lower() if value.sql.startswith("'") else ""


def _is_utf8(call: Call) -> Value:
    value = call.values[0]
    if value.type.kind is Kind.VARBYTE:
        return Value(f"nearshift_sql.is_utf8({value.sql})", BOOLEAN)
    return Value(f"({value.sql} IS NOT NULL)", BOOLEAN)


def _getbit(call: Call) -> Value:
    return Value(f"nearshift_sql.bit_at({call.values[0].sql}, {call.values[1].sql})", INTEGER)


def _text_to_int(call: Call) -> Value:
    if len(call.values) > 1:
        raise call.binder.unsupported(call.node, "TEXT_TO_INT_ALT with a format is not supported", hint="Take the text apart first.")
    return Value(f"CAST(nearshift_text_number({call.values[0].sql}, 38, -1) AS INTEGER)", INTEGER)


def _text_to_numeric(call: Call) -> Value:
    text, rest = call.values[0], call.values[1:]
    if len(rest) not in {0, 2} or any(one.integer is None for one in rest):
        raise call.binder.unsupported(call.node, "TEXT_TO_NUMERIC_ALT with a format is not supported", hint="Take the text apart first.")
    precision, scale = (rest[0].integer or 0, rest[1].integer or 0) if rest else (38, 0)
    if not 1 <= precision <= 38 or not 0 <= scale <= min(precision, 37):
        raise call.error("the precision of TEXT_TO_NUMERIC_ALT must be between 1 and 38, and its scale below it", sqlstate="22023")
    kind = decimal(precision, scale)
    return Value(f"CAST(nearshift_text_number({text.sql}, {precision}, {scale}) AS {kind.duckdb})", kind)


_COMPARISON = "CASE WHEN {0} < {1} THEN -1 WHEN {0} > {1} THEN 1 WHEN {0} = {1} THEN 0 END"

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
    Function("replicate", "si", VARCHAR, "repeat({0}, {1})", "r_REPLICATE.html"),
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
    Function("soundex", "s", varchar(4), "nearshift_soundex({0})", "SOUNDEX.html"),
    Function("difference", "ss", INTEGER, "nearshift_difference({0}, {1})", "DIFFERENCE.html"),
    Function("octetindex", "ss", INTEGER, "nearshift_sql.octet_place({0}, {1})", "OCTETINDEX.html"),
    Function("bpcharcmp", "ss", INTEGER, _COMPARISON, "r_BPCHARCMP.html"),
    Function("bttext_pattern_cmp", "ss", INTEGER, _COMPARISON, "r_BTTEXT_PATTERN_CMP.html"),
    Function("text_to_int_alt", "s?s", INTEGER, _text_to_int, "r_TEXT_TO_INT_ALT.html"),
    Function("text_to_numeric_alt", "s?***", decimal(38, 0), _text_to_numeric, "r_TEXT_TO_NUMERIC_ALT.html"),
    Function("quote_ident", "s", VARCHAR, "nearshift_sql.quote_ident({0})", "r_QUOTE_IDENT.html"),
    Function("quote_literal", "s", VARCHAR, "nearshift_sql.quote_literal({0})", "r_QUOTE_LITERAL.html"),
    Function("strtol", "si", BIGINT, _strtol, "r_STRTOL.html"),
    Function("from_varbyte", "vs", VARCHAR, _from_varbyte, "r_FROM_VARBYTE.html"),
    Function("to_varbyte", "ss", VARBYTE, _to_varbyte, "r_TO_VARBYTE.html"),
    Function("to_hex", "*", VARCHAR, _to_hex, "r_TO_HEX.html"),
    Function("from_hex", "s", VARBYTE, "unhex({0})", "r_FROM_HEX.html"),
    Function("getbit", "vi", INTEGER, _getbit, "r_GETBIT.html"),
    Function("get_bit", "vi", INTEGER, _getbit, "r_GETBIT.html"),
    Function("is_utf8", "x", BOOLEAN, _is_utf8, "materialized-view-streaming-ingestion.html"),
)
_LATER = "is not kept by nearshift"
_POSTGRES = "is not a function of Redshift"
REFUSALS = (
    Refusal("collate", _LATER, "Compare LOWER(a) with LOWER(b)."),
    Refusal("string_agg", _POSTGRES, "Use LISTAGG."), Refusal("overlay", _POSTGRES, "Use SUBSTRING and ||."),
    Refusal("format", _POSTGRES, "Use ||."), Refusal("encode", _POSTGRES, "Use FROM_VARBYTE."),
    Refusal("convert_from", _POSTGRES, "Use FROM_VARBYTE."), Refusal("convert_to", _POSTGRES, "Use TO_VARBYTE."),
    Refusal("bit_length", _POSTGRES, "Use 8 * OCTET_LENGTH."), Refusal("quote_nullable", _POSTGRES, "Use NVL(QUOTE_LITERAL(x), 'NULL')."),
    Refusal("get_byte", "is deprecated in Redshift", "Use SUBSTRING of a VARBYTE."), Refusal("set_bit", "is deprecated in Redshift"),
    Refusal("set_byte", "is deprecated in Redshift"), Refusal("to_ascii", "is deprecated in Redshift"),
    Refusal("concat_ws", _POSTGRES, "Use ||."), Refusal("string_to_array", _POSTGRES, "Use SPLIT_TO_ARRAY."),
)  # fmt: skip
