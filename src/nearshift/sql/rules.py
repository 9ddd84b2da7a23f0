"""The white list: which node of the tree is bound by which rule. A node that is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from nearshift.sql import bind_arithmetic as arithmetic
from nearshift.sql import bind_compare as compare
from nearshift.sql import bind_literals as literals
from nearshift.sql import bind_logic as logic
from nearshift.sql import bind_patterns as patterns
from nearshift.sql import functions
from nearshift.sql.bind import QueryRule, Rule
from nearshift.sql.bind_aggregates import aggregate_rule
from nearshift.sql.bind_casts import cast_rule
from nearshift.sql.bind_hierarchy import prior_rule
from nearshift.sql.bind_query import select_query
from nearshift.sql.bind_sets import set_query, subquery_query, values_query
from nearshift.sql.functions_super import object_transform_rule
from nearshift.sql.partiql import path_value
from nearshift.sql.user_functions import dotted_rule

EXPRESSIONS: Final[Mapping[type[exp.Expr], Rule]] = {
    exp.Literal: literals.literal_rule,
    exp.ByteString: literals.escape_string_rule,
    exp.Null: literals.null_rule,
    exp.Boolean: literals.boolean_rule,
    exp.Paren: literals.paren_rule,
    exp.Parameter: literals.parameter_rule,
    exp.Concat: literals.adjacent_rule,
    exp.Interval: literals.interval_rule,
    exp.Column: path_value,
    exp.Dot: dotted_rule,
    exp.Bracket: path_value,
    exp.Cast: cast_rule,
    exp.TryCast: cast_rule,
    exp.Add: arithmetic.arithmetic_rule,
    exp.Sub: arithmetic.arithmetic_rule,
    exp.Mul: arithmetic.arithmetic_rule,
    exp.Div: arithmetic.arithmetic_rule,
    exp.Mod: arithmetic.arithmetic_rule,
    exp.Neg: arithmetic.negation_rule,
    exp.Pow: arithmetic.power_rule,
    exp.BitwiseAnd: arithmetic.bitwise_rule,
    exp.BitwiseOr: arithmetic.bitwise_rule,
    exp.BitwiseLeftShift: arithmetic.bitwise_rule,
    exp.BitwiseRightShift: arithmetic.bitwise_rule,
    exp.BitwiseNot: arithmetic.bitwise_not_rule,
    exp.DPipe: arithmetic.concat_rule,
    exp.EQ: compare.comparison_rule,
    exp.NEQ: compare.comparison_rule,
    exp.LT: compare.comparison_rule,
    exp.LTE: compare.comparison_rule,
    exp.GT: compare.comparison_rule,
    exp.GTE: compare.comparison_rule,
    exp.And: logic.logic_rule,
    exp.Or: logic.logic_rule,
    exp.Not: logic.not_rule,
    exp.Is: logic.is_rule,
    exp.Between: compare.between_rule,
    exp.In: compare.in_rule,
    exp.Case: logic.case_rule,
    exp.Like: patterns.like_rule,
    exp.ILike: patterns.like_rule,
    exp.Escape: patterns.escape_rule,
    exp.SimilarTo: patterns.similar_rule,
    exp.RegexpLike: patterns.regexp_rule,
    exp.RegexpILike: patterns.regexp_rule,
    exp.Exists: patterns.exists_rule,
    exp.Subquery: patterns.subquery_rule,
    exp.Prior: prior_rule,
    exp.Anonymous: functions.call_rule,
    exp.ObjectTransform: object_transform_rule,
    exp.Substring: functions.substring_rule,
    exp.Trim: functions.trim_rule,
    exp.Extract: functions.extract_rule,
    exp.AtTimeZone: functions.zone_rule,
    exp.Window: aggregate_rule,
    exp.WithinGroup: aggregate_rule,
    exp.IgnoreNulls: aggregate_rule,
    exp.RespectNulls: aggregate_rule,
}

# The clauses that rules read beside `this`, `expression` and `expressions`.
_PLAIN: Final = frozenset({"this", "expression", "expressions"})
ARGUMENTS: Final[Mapping[type[exp.Expr], frozenset[str]]] = {
    exp.Literal: frozenset({"this", "is_string"}),
    exp.ByteString: frozenset({"this", "is_bytes"}),
    exp.Column: frozenset({"this", "table", "db", "catalog"}),
    exp.Concat: _PLAIN | {"coalesce"},
    exp.Interval: _PLAIN | {"unit"},
    exp.Cast: _PLAIN | {"to"},
    exp.TryCast: _PLAIN | {"to", "safe"},
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: _PLAIN | {"query"},
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.Substring: frozenset({"this", "start", "length"}),
    exp.Trim: _PLAIN | {"position"},
    exp.AtTimeZone: frozenset({"this", "zone"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over"}),
    exp.Subquery: frozenset({"this", "order", "limit", "offset", "with_"}),
    exp.Div: _PLAIN | {"typed", "safe"},
    exp.DPipe: _PLAIN | {"safe"},
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Group: frozenset({"expressions", "all"}),
    exp.Like: _PLAIN | {"negate"},
    exp.ILike: _PLAIN | {"negate"},
    exp.Is: _PLAIN | {"negate"},
    exp.ObjectTransform: frozenset({"this", "keep", "set_"}),
    exp.Star: frozenset(),
    exp.CTE: frozenset({"this", "alias"}),
}

QUERIES: Final[Mapping[type[exp.Expr], QueryRule]] = {
    exp.Select: select_query,
    exp.Values: values_query,
    exp.Subquery: subquery_query,
    exp.Union: set_query,
    exp.Intersect: set_query,
    exp.Except: set_query,
}
