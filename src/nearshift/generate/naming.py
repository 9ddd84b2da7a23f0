"""Names of attributes made into names that Redshift takes without quotes, and that no other column has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from nearshift.sql.names import is_reserved

_LENGTH_MAX = 60  # of the 127 bytes that a name may have; tables and views are named after it with more around it


def legal(text: str, fallback: str, is_taken: Callable[[str], bool]) -> str:
    """Return a legal name close to the text: letters of other scripts become plain or go, `billedAmount` becomes `billed_amount`.

    A reserved word, or a name that loads use themselves, gets `_value` behind it; what is left of nothing is `fallback`; a name that
    `is_taken` gets a number.
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", plain))
    plain = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:_LENGTH_MAX].rstrip("_")
    if not plain:
        plain = fallback
    if plain[0].isdigit():
        plain = f"n_{plain}"
    if is_reserved(plain):
        plain = f"{plain}_value"
    name, number = plain, 2
    while is_taken(name):
        name, number = f"{plain}_{number}", number + 1
    return name
