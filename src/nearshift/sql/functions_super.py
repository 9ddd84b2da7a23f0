"""Functions of SUPER and of JSON text.

Source pages: "JSON functions", "Array functions", "Object functions", "SUPER type information functions".
"""

from __future__ import annotations

from nearshift.sql.bind_arithmetic import as_super
from nearshift.sql.bind_casts import cannot_cast, super_of
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal
from nearshift.types import BIGINT, BOOLEAN, INTEGER, NUMBERS, STRINGS, SUPER, VARBYTE, VARCHAR, Kind, varchar


def _text(value: Value) -> str:
    return f"nearshift_sql.utf8({value.sql})" if value.type.kind is Kind.VARBYTE else value.sql


def _json_parse(call: Call) -> Value:
    binder, value = call.binder, call.values[0]
    text = _text(value)
    lax = binder.setting("parse_super_null_on_error", "off")
    dedup = binder.setting("json_parse_dedup_attributes", "off")
    name = {(False, False): "json_parse", (True, False): "json_parse_lax", (False, True): "json_parse_dedup"}.get((lax, dedup))
    if value.keeper is not None and name == "json_parse" and value.type.kind is Kind.VARBYTE:
        parsed = _parsed_or_null(call, value)
        failing = f"WHEN {parsed} IS NULL AND {value.sql} IS NOT NULL THEN nearshift_sql.json_parse({text})"
        return Value(f"CASE {failing} ELSE {parsed} END", SUPER)
    return Value(f"nearshift_sql.{name or 'json_parse_lax_dedup'}({text})", SUPER)


def _parsed_or_null(call: Call, value: Value) -> str:
    """Return the column that holds the parsed document of a VARBYTE column, NULL where it is none.

    A streaming view parses a record, asks whether it can, and keeps the payload if it cannot: with this column all three cost one parse.
    """
    assert value.keeper is not None, "the value stands in a source"
    return value.keeper.keep(f"nearshift_sql.json_parse_lax(nearshift_sql.utf8_or_null({value.keeper.inner}))", call.binder.fresh)


def _can_json_parse(call: Call) -> Value:
    value = call.values[0]
    if value.keeper is not None and value.type.kind is Kind.VARBYTE:
        return Value(f"CASE WHEN {value.sql} IS NOT NULL THEN {_parsed_or_null(call, value)} IS NOT NULL END", BOOLEAN)
    if value.type.kind is not Kind.VARBYTE:
        return Value(f"nearshift_sql.can_json_parse({value.sql})", BOOLEAN)
    # NULL stays NULL, bytes that are no text are no JSON.
    test = f"nearshift_sql.can_json_parse(nearshift_sql.utf8_or_null({value.sql}))"
    return Value(f"CASE WHEN {value.sql} IS NOT NULL THEN coalesce({test}, FALSE) END", BOOLEAN)


def _element(call: Call, value: Value) -> str:
    if value.type.kind in STRINGS | NUMBERS | {Kind.BOOLEAN, Kind.UNKNOWN, Kind.SUPER}:
        text = as_super(call.binder, value)
        return f"nearshift_sql.super_shown({text})" if value.type.kind is Kind.SUPER else text
    raise cannot_cast(call.binder, value.type, SUPER, call.node)


def _array(call: Call) -> Value:
    if not call.values:
        return Value("CAST('[]' AS JSON)", SUPER)
    items = ", ".join(f"coalesce({_element(call, one)}, CAST('null' AS JSON))" for one in call.values)
    return Value(f"nearshift_sql.super_array([{items}])", SUPER)


def _object(call: Call) -> Value:
    if not call.values:
        return Value("CAST('{}' AS JSON)", SUPER)
    if len(call.values) % 2:
        raise call.error("OBJECT takes pairs of a name and a value", sqlstate="42601")
    pairs = []
    for key, value in zip(call.values[::2], call.values[1::2], strict=True):
        if key.type.kind not in STRINGS:
            raise call.error("the names in OBJECT must be strings", sqlstate="42804")
        if value.type.kind in {Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.TIMETZ}:
            message = f"OBJECT could not convert type {value.type.kind.value} to super"
            raise call.error(message, sqlstate="42846", hint="Cast it to varchar.")
        pairs.append(f"{super_of(key)} || ':' || coalesce({_element(call, value)}, 'null')")
    joined = " || ',' || ".join(pairs)
    return Value(f"CAST(nearshift_sql.fractions_flagged('{{' || {joined} || '}}') AS JSON)", SUPER)


def _path_text(call: Call) -> Value:
    """Lower JSON_EXTRACT_PATH_TEXT; the last argument may be the boolean null_if_invalid."""
    values = list(call.values)
    lax = values[-1].type.kind is Kind.BOOLEAN
    keys = values[1:-1] if lax else values[1:]
    if not 1 <= len(keys) <= 5:
        raise call.error("JSON_EXTRACT_PATH_TEXT takes one to five path elements")
    pointer = " || ".join(f"'/' || replace(replace({key.sql}, '~', '~0'), '/', '~1')" for key in keys)
    document = f"nearshift_sql.json_text({values[0].sql}, {values[-1].sql if lax else 'FALSE'})"
    return Value(f"nearshift_sql.path_text({document}, {pointer})", VARCHAR)


def _array_element_text(call: Call) -> Value:
    values = call.values
    lax = values[2].sql if len(values) > 2 else "FALSE"
    document = f"nearshift_sql.json_text({values[0].sql}, {lax})"
    return Value(f"nearshift_sql.array_element_text({document}, {values[1].sql})", VARCHAR)


def _array_length_text(call: Call) -> Value:
    lax = call.values[1].sql if len(call.values) > 1 else "FALSE"
    return Value(f"nearshift_sql.json_array_length(nearshift_sql.json_text({call.values[0].sql}, {lax}))", INTEGER)


def _typed(name: str) -> Function:
    return Function(name, "S", BOOLEAN, f"nearshift_sql.{name}({{0}})", f"r_{name}.html")


def _split_to_array(call: Call) -> Value:
    delimiter = call.values[1].sql if len(call.values) > 1 else "','"
    return Value(f"to_json(string_split({call.values[0].sql}, {delimiter}))", SUPER)



FUNCTIONS = (
    Function("json_parse", "x", SUPER, _json_parse, "JSON_PARSE.html"),
    Function("can_json_parse", "x", BOOLEAN, _can_json_parse, "CAN_JSON_PARSE.html"),
    Function("json_serialize", "S", VARCHAR, "nearshift_sql.json_serialize({0})", "JSON_SERIALIZE.html"),
    Function("json_serialize_to_varbyte", "S", VARBYTE, "encode(nearshift_sql.super_shown({0}))", "JSON_SERIALIZE_TO_VARBYTE.html"),
    Function("json_size", "S", INTEGER, "CAST(strlen(nearshift_sql.super_shown({0})) AS INTEGER)", "r_json_size.html"),
    Function("json_typeof", "S", varchar(16), "nearshift_sql.json_typeof({0})", "r_json_typeof.html"),
    *(
        _typed(name)
        for name in (
            "is_array", "is_object", "is_scalar", "is_boolean", "is_varchar", "is_char", "is_smallint", "is_integer", "is_bigint",
            "is_decimal", "is_float",
        )
    ),
    Function("array", "?*+", SUPER, _array, "r_array.html"),
    Function("object", "?*+", SUPER, _object, "r_object_function.html"),
    Function("array_concat", "SS", SUPER, "nearshift_sql.array_concat({0}, {1})", "r_array_concat.html"),
    Function("array_flatten", "S", SUPER, "nearshift_sql.array_flatten({0})", "array_flatten.html"),
    Function("get_array_length", "S", BIGINT, "nearshift_sql.get_array_length({0})", "get_array_length.html"),
    Function("split_to_array", "s?s", SUPER, _split_to_array, "split_to_array.html"),
    Function("subarray", "Sii", SUPER, "nearshift_sql.subarray({0}, {1}, {2})", "r_subarray.html"),
    Function("json_extract_path_text", "s*+", VARCHAR, _path_text, "JSON_EXTRACT_PATH_TEXT.html"),
    Function("json_extract_array_element_text", "si?b", VARCHAR, _array_element_text, "JSON_EXTRACT_ARRAY_ELEMENT_TEXT.html"),
    Function("json_array_length", "s?b", INTEGER, _array_length_text, "JSON_ARRAY_LENGTH.html"),
    Function("is_valid_json", "s", BOOLEAN, "nearshift_sql.is_valid_json({0})", "IS_VALID_JSON.html"),
    Function("is_valid_json_array", "s", BOOLEAN, "nearshift_sql.is_valid_json_array({0})", "IS_VALID_JSON_ARRAY.html"),
)  # fmt: skip
_ARRAYS = "is newer than what nearshift keeps"
REFUSALS = tuple(
    Refusal(name, _ARRAYS, "Unnest the array in FROM.")
    for name in (
        "array_contains", "array_position", "array_positions", "array_distinct", "array_except", "array_intersection", "array_union",
        "array_sort", "arrays_overlap", "get_number_attributes", "lower_attribute_names", "upper_attribute_names",
    )
)  # fmt: skip
