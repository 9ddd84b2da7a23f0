"""The white list: which node of the tree is bound by which rule. A node that is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from nearshift.sql import bind_operators as operators
from nearshift.sql import bind_patterns as patterns
from nearshift.sql import functions
from nearshift.sql.bind import QueryRule, Rule
from nearshift.sql.bind_casts import cast_rule
from nearshift.sql.bind_query import select_query, set_query, subquery_query, values_query
from nearshift.sql.functions_aggregate import aggregate_rule
from nearshift.sql.partiql import path_value

EXPRESSIONS: Final[Mapping[type[exp.Expr], Rule]] = {
    exp.Literal: operators.literal_rule,
    exp.Null: operators.null_rule,
    exp.Boolean: operators.boolean_rule,
    exp.Paren: operators.paren_rule,
    exp.Parameter: operators.parameter_rule,
    exp.Concat: operators.adjacent_rule,
    exp.Interval: operators.interval_rule,
    exp.Column: path_value,
    exp.Dot: path_value,
    exp.Bracket: path_value,
    exp.Cast: cast_rule,
    exp.TryCast: cast_rule,
    exp.Add: operators.arithmetic_rule,
    exp.Sub: operators.arithmetic_rule,
    exp.Mul: operators.arithmetic_rule,
    exp.Div: operators.arithmetic_rule,
    exp.Mod: operators.arithmetic_rule,
    exp.Neg: operators.negation_rule,
    exp.DPipe: operators.concat_rule,
    exp.EQ: operators.comparison_rule,
    exp.NEQ: operators.comparison_rule,
    exp.LT: operators.comparison_rule,
    exp.LTE: operators.comparison_rule,
    exp.GT: operators.comparison_rule,
    exp.GTE: operators.comparison_rule,
    exp.And: operators.logic_rule,
    exp.Or: operators.logic_rule,
    exp.Not: operators.not_rule,
    exp.Is: operators.is_rule,
    exp.Between: operators.between_rule,
    exp.In: operators.in_rule,
    exp.Case: operators.case_rule,
    exp.Like: patterns.like_rule,
    exp.ILike: patterns.like_rule,
    exp.Escape: patterns.escape_rule,
    exp.SimilarTo: patterns.similar_rule,
    exp.RegexpLike: patterns.regexp_rule,
    exp.RegexpILike: patterns.regexp_rule,
    exp.Exists: patterns.exists_rule,
    exp.Subquery: patterns.subquery_rule,
    exp.Anonymous: functions.call_rule,
    exp.Substring: functions.substring_rule,
    exp.Trim: functions.trim_rule,
    exp.Extract: functions.extract_rule,
    exp.AtTimeZone: functions.zone_rule,
    exp.Window: aggregate_rule,
    exp.WithinGroup: aggregate_rule,
    exp.IgnoreNulls: aggregate_rule,
    exp.RespectNulls: aggregate_rule,
}

QUERIES: Final[Mapping[type[exp.Expr], QueryRule]] = {
    exp.Select: select_query,
    exp.Values: values_query,
    exp.Subquery: subquery_query,
    exp.Union: set_query,
    exp.Intersect: set_query,
    exp.Except: set_query,
}
