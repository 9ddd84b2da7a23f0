"""What a cluster and its administrators have. Source pages: "System administration functions", "System information functions"."""

from __future__ import annotations

from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal
from nearshift.sql.relations import ParameterSource
from nearshift.types import TIMESTAMP, VARCHAR


def _time_of_day(call: Call) -> Value:
    now = call.binder.parameter(ParameterSource.SESSION, "statement_timestamp", TIMESTAMP)
    return Value(f"strftime({now}, '%a %b %d %H:%M:%S.%f %Y UTC')", VARCHAR)


FUNCTIONS = (Function("timeofday", "", VARCHAR, _time_of_day, "r_TIMEOFDAY_function.html", is_mutable=True),)
_QUEUES = "needs queues of queries, which one machine does not have"
_ROLES = "needs roles of AWS for users; the warehouse here has its own"
_HLL = "needs sketches, which are not kept by nearshift"
_ML = "needs Amazon SageMaker"
_TIMES = "Use COUNT(DISTINCT …) or APPROXIMATE COUNT(DISTINCT …)."
REFUSALS = (
    Refusal("change_query_priority", _QUEUES), Refusal("change_session_priority", _QUEUES), Refusal("change_user_priority", _QUEUES),
    Refusal("reboot_cluster", "restarts a cluster", "Stop the server and start it."),
    Refusal("slice_num", "tells slices of a cluster, and one machine has none"),
    Refusal("current_aws_account", "needs an account of AWS"), Refusal("current_namespace", "needs a namespace of AWS"),
    Refusal("default_iam_role", _ROLES), Refusal("has_assumerole_privilege", _ROLES), Refusal("pg_get_grantee_by_iam_role", _ROLES),
    Refusal("pg_get_iam_role_by_user", _ROLES),
    Refusal("pg_get_cols", "gives rows of no table", "Read svv_columns."),
    Refusal("pg_get_late_binding_view_cols", "gives rows of no table", "Read svv_columns."),
    *(Refusal(f"hll_{name}", _HLL, _TIMES) for name in ("cardinality", "combine", "combine_sketches", "create_sketch")),
    Refusal("explain_model", _ML), Refusal("inet_client_addr", "is not a function of Redshift"),
    Refusal("txid_current", "is not a function of Redshift", "Read svv_transactions."),
)  # fmt: skip
