"""DATEFORMAT and TIMEFORMAT strings, and what 'auto' recognises.

Source pages: "DATEFORMAT and TIMEFORMAT strings", "Using automatic recognition with DATEFORMAT and TIMEFORMAT".
"""

from __future__ import annotations

import re
from typing import Final

from nearshift.errors import InvalidSql

# The longest first, since one begins with another.
_PARTS: Final = {
    "YYYY": "%Y", "YY": "%y", "MONTH": "%B", "MON": "%b", "MM": "%m", "DD": "%d", "HH24": "%H", "HH12": "%I", "HH": "%H", "MI": "%M",
    "SS": "%S", "US": "%f", "MS": "%g", "AM": "%p", "PM": "%p", "OF": "%z", "TZ": "%z",
}  # fmt: skip
_TOKEN: Final = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)) + r"|%|[A-Z]+|.", re.DOTALL)

AUTO_DATES: Final = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%m-%d-%Y", "%d.%m.%Y", "%m.%d.%Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y",
    "%d-%b-%Y", "%b-%d-%Y", "%Y-%b-%d", "%m/%d/%y", "%y-%m-%d", "%Y%j", "%Y.%j",
)  # fmt: skip
_CLOCKS: Final = ("%H:%M:%S.%f", "%H:%M:%S", "%I:%M:%S %p", "%H:%M", "%I:%M %p")
AUTO_TIMES: Final = (
    *(f"{date}{gap}{clock}" for date in AUTO_DATES if "%j" not in date for gap in (" ", "T") for clock in _CLOCKS),
    "%Y%m%d %H%M%S", "%Y%m%d%H%M%S", "%a %b %d %H:%M:%S %Y", "%b %d %H:%M:%S %Y", *AUTO_DATES,
)  # fmt: skip


def strptime_format(text: str) -> str:
    """Return DuckDB's format for Redshift's. Raises InvalidSql (22007) for a letter that means nothing in it."""
    parts = []
    for token in _TOKEN.findall(text.upper()):
        if token in _PARTS:
            parts.append(_PARTS[token])
        elif token == "%":
            parts.append("%%")
        elif token.isalpha() and token != "T":
            message = f'"{text}" is not a format of dates or times'
            raise InvalidSql(message, sqlstate="22007", hint="Use YYYY, MM, MON, DD, HH24, HH12, MI, SS, AM and OF, or 'auto'.")
        else:
            parts.append(token)
    clock = "".join(parts)
    # HH with AM or PM is the hour of the half day.
    return clock.replace("%H", "%I") if "%p" in clock else clock
