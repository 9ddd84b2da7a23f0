"""Where Redshift answers otherwise than PostgreSQL, and what the tests do about it: they leave it out, or ask PostgreSQL in other words."""

from __future__ import annotations

from typing import Final

# what -> (why, how the comparison goes around it)
DIFFERENCES: Final[dict[str, tuple[str, str]]] = {
    "avg of integers": ("Redshift cuts it to an integer (AVG function)", "PostgreSQL is asked for trunc(avg(x))"),
    "avg of decimals": ("Redshift keeps the argument's scale (AVG function)", "PostgreSQL is asked for trunc(avg(x), scale)"),
    "decimal division": ("Redshift's scale follows its table (Computations with numeric values)", "PostgreSQL's is cut to that scale"),
    "|| and CONCAT of NULL": ("CONCAT is NULL in Redshift when a part is, and takes two", "only || is generated"),
    "trailing blanks": ("Redshift ignores them in comparisons", "no text ends in a blank"),
    "negative length of LEFT and RIGHT": ("Redshift wants a positive one (LEFT and RIGHT functions)", "lengths are not negative"),
    "EXTRACT of seconds": ("Redshift cuts the fraction off (Date parts)", "seconds are not extracted"),
    "EXTRACT of decades": ("Redshift's first decade has nine years (Date parts)", "decades are not extracted"),
    "dates and timestamps": ("DATEADD, DATEDIFF and their kin are Redshift's own", "PostgreSQL gets the arithmetic that they mean"),
    "aggregate windows": ("Redshift wants a frame beside ORDER BY", "every one has a frame of ROWS"),
    "LISTAGG": ("PostgreSQL has string_agg, which keeps empty strings", "PostgreSQL is asked for string_agg(nullif(x, ''))"),
    "alternation of expressions": ("RE2 takes the first branch that fits, PostgreSQL the longest match", "branches have one length"),
    "decimals beyond 38 digits": ("PostgreSQL's have no limit", "chains of multiplication are short"),
    "IS beside a comparison": ("PostgreSQL 8.0 binds IS tighter than =; newer ones looser", "comparisons stand in parentheses"),
    "letters beyond ASCII": ("the server of the tests has the locale C", "upper and lower case are tried on English letters"),
    "sums of integers": ("Redshift's wide sums are DECIMAL(38,0), as PostgreSQL's are", "compared as they are"),
}
