"""Functions of SUPER and of JSON text.

Source pages: "JSON functions", "Array functions", "Object functions", "SUPER type information functions".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_arithmetic import as_super
from nearshift.sql.bind_casts import cannot_cast, settled, super_of
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal
from nearshift.sql.names import quote_literal
from nearshift.sql.scope import Scope
from nearshift.types import BIGINT, BOOLEAN, INTEGER, NUMBERS, STRINGS, SUPER, VARBYTE, VARCHAR, Kind, SqlType, varchar


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
        return f"rtrim(CAST({text} AS VARCHAR), ' ')" if value.type.kind is Kind.SUPER else text
    raise cannot_cast(call.binder, value.type, SUPER, call.node)


def _array(call: Call) -> Value:
    if not call.values:
        return Value("CAST('[]' AS JSON)", SUPER)
    joined = " || ',' || ".join(f"coalesce({_element(call, one)}, 'null')" for one in call.values)
    return Value(_composed(f"'[' || {joined} || ']'"), SUPER)


def _composed(text: str) -> str:
    """Return the lowering of a document put together as text. No lambda is in it: DuckDB plans those twice, and constructors nest."""
    return f"CAST(nearshift_fractions_flagged({text}) AS JSON)"


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
    return Value(_composed(f"'{{' || {joined} || '}}'"), SUPER)


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


def _native(name: str, result: SqlType, *defaults: str) -> Callable[[Call], Value]:
    """Return the lowering to a function of `native_documents`; `defaults` stand for the last arguments."""

    def lowering(call: Call) -> Value:
        arguments = [one.sql for one in call.values]
        missing = 3 - len(arguments) if defaults else 0
        sql = f"nearshift_{name}({', '.join([*arguments, *defaults[len(defaults) - missing :]])})"
        return Value(f"CAST({sql} AS JSON)" if result == SUPER else sql, result)

    return lowering


def _search(name: str, result: SqlType) -> Callable[[Call], Value]:
    """Return the lowering of a search in an array; unless it says so itself, a setting tells whether NULL can be found."""

    def lowering(call: Call) -> Value:
        array, value = call.values[0].sql, f"coalesce({_element(call, call.values[1])}, CAST('null' AS JSON))"
        finds_null = call.binder.setting("default_array_search_null_handling", "on")
        null_match = call.values[2].sql if len(call.values) > 2 else str(finds_null).upper()
        sql = f"nearshift_{name}({array}, {value}, {null_match})"
        return Value(f"CAST({sql} AS JSON)" if result == SUPER else sql, result)

    return lowering


def _sort(call: Call) -> Value:
    """Lower ARRAY_SORT; nulls stand last in ascending order and first in descending order, unless told."""
    array, ascending, *nulls_first = [one.sql for one in call.values] if len(call.values) > 1 else [call.values[0].sql, "TRUE"]
    nulls = nulls_first[0] if nulls_first else f"NOT ({ascending})"
    return Value(f"CAST(nearshift_array_sort({array}, {ascending}, {nulls}) AS JSON)", SUPER)


_PATH = re.compile(r'"((?:[^"]|"")*)"(?:\.|$)')


def object_transform_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `OBJECT_TRANSFORM(input KEEP path, … SET path, value, …)` (r_object_transform_function.html)."""
    call = Call(binder, node, scope, "object_transform", [])
    document = binder.value(node.this, scope)
    if document.type.kind not in {Kind.SUPER, Kind.UNKNOWN}:
        raise call.error(f"function object_transform({document.type.kind.value}) does not exist", hint="Its first argument must be SUPER.")
    keep, changes = node.args.get("keep") or [], node.args.get("set_") or []
    if len(changes) % 2:
        raise call.error("SET takes pairs of a path and a value", sqlstate="42601")
    text = as_super(binder, document)
    if not keep and not changes:
        return Value(text, SUPER, "object_transform")
    if not keep:
        raise binder.unsupported(node, "OBJECT_TRANSFORM with SET alone is not documented", hint="Name what shall stay with KEEP.")
    kept = json.dumps([_names_of(call, one) for one in keep], ensure_ascii=False, separators=(",", ":"))
    pairs = []
    for path, value in zip(changes[::2], changes[1::2], strict=True):
        lead = json.dumps(_names_of(call, path), ensure_ascii=False, separators=(",", ":"))
        element = _element(call, settled(binder, binder.value(value, scope)))
        pairs.append(f"{quote_literal(f'[{lead},')} || coalesce({element}, 'null') || ']'")
    joined = "'[' || " + " || ',' || ".join(pairs) + " || ']'" if pairs else "'[]'"
    return Value(f"CAST(nearshift_object_transform({text}, {quote_literal(kept)}, {joined}) AS JSON)", SUPER, "object_transform")


def _names_of(call: Call, node: exp.Expr) -> list[str]:
    """Return the names of a path like `'"a"."b"'`; raises InvalidSql (42601) for anything else."""
    text = node.this if isinstance(node, exp.Literal) and node.is_string else ""
    names, place = [], 0
    while found := _PATH.match(text, place):
        names.append(found[1].replace('""', '"'))
        place = found.end()
        if place == len(text) and text.endswith('"'):
            return names
    hint = 'Write it as a literal of quoted names: \'"a"."b"\'.'
    raise call.binder.invalid(node, "a path of OBJECT_TRANSFORM is not valid", sqlstate="42601", hint=hint)


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
    # The parser makes a node of its own of it: see `object_transform_rule`.
    Function("object_transform", "S", SUPER, "{0}", "r_object_transform_function.html"),
    Function("array_concat", "SS", SUPER, "nearshift_sql.array_concat({0}, {1})", "r_array_concat.html"),
    Function("array_flatten", "S", SUPER, _native("array_flatten", SUPER), "array_flatten.html"),
    Function("array_contains", "S*?b", BOOLEAN, _search("array_contains", BOOLEAN), "array_contains.html"),
    Function("array_position", "S*?b", INTEGER, _search("array_position", INTEGER), "array_position.html"),
    Function("array_positions", "S*?b", SUPER, _search("array_positions", SUPER), "array_positions.html"),
    Function("array_distinct", "S", SUPER, _native("array_distinct", SUPER), "array_distinct.html"),
    Function("array_except", "SS?b", SUPER, _native("array_except", SUPER, "FALSE"), "array_except.html"),
    Function("array_intersection", "SS?b", SUPER, _native("array_intersection", SUPER, "FALSE"), "array_intersection.html"),
    Function("array_union", "SS", SUPER, _native("array_union", SUPER), "array_union.html"),
    Function("array_sort", "S?bb", SUPER, _sort, "array_sort.html"),
    Function("arrays_overlap", "SS", BOOLEAN, _native("arrays_overlap", BOOLEAN), "arrays_overlap.html"),
    Function("get_number_attributes", "S", INTEGER, "nearshift_sql.get_number_attributes({0})", "get_number_attributes.html"),
    Function("lower_attribute_names", "S", SUPER, _native("lower_names", SUPER), "r_lower_attribute_names.html"),
    Function("upper_attribute_names", "S", SUPER, _native("upper_names", SUPER), "r_upper_attribute_names.html"),
    Function("get_array_length", "S", BIGINT, "nearshift_sql.get_array_length({0})", "get_array_length.html"),
    Function("split_to_array", "s?s", SUPER, _split_to_array, "split_to_array.html"),
    Function("subarray", "Sii", SUPER, "nearshift_sql.subarray({0}, {1}, {2})", "r_subarray.html"),
    Function("json_extract_path_text", "s*+", VARCHAR, _path_text, "JSON_EXTRACT_PATH_TEXT.html"),
    Function("json_extract_array_element_text", "si?b", VARCHAR, _array_element_text, "JSON_EXTRACT_ARRAY_ELEMENT_TEXT.html"),
    Function("json_array_length", "s?b", INTEGER, _array_length_text, "JSON_ARRAY_LENGTH.html"),
    Function("is_valid_json", "s", BOOLEAN, "nearshift_sql.is_valid_json({0})", "IS_VALID_JSON.html"),
    Function("is_valid_json_array", "s", BOOLEAN, "nearshift_sql.is_valid_json_array({0})", "IS_VALID_JSON_ARRAY.html"),
)  # fmt: skip
REFUSALS: tuple[Refusal, ...] = ()
