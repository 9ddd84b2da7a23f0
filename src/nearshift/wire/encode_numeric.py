"""NUMERIC columns: as text, as PostgreSQL's binary groups of four digits, and as the scaled integer of Redshift's drivers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nearshift.wire.encode_shape import BYTES, TEXTS, Bytes, Fixed, big_endian, is_valid

Int64s = npt.NDArray[np.int64]
_GROUP = 10_000
# A NUMERIC of up to 18 digits fits into the low 64 bits.
_SMALL_DIGITS = 18
# Arrow prints scientific notation for more leading zeros than this; PostgreSQL never does.
_PLAIN_SCALE = 6


def numeric_text(column: pa.Array) -> pa.Array:
    """Print NUMERIC with all digits of its scale."""
    kind = column.type
    if not pa.types.is_decimal128(kind):
        return pc.cast(column, TEXTS)
    if kind.scale <= _PLAIN_SCALE:
        return pc.cast(column, TEXTS)
    # The same bits read as a whole number, printed, and the point put in.
    whole = pa.Array.from_buffers(pa.decimal128(38, 0), len(column), column.buffers(), column.null_count, column.offset)
    digits = pc.cast(whole, TEXTS)
    is_negative = pc.starts_with(digits, "-")
    padded = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), kind.scale + 1, "0")
    sign = pc.if_else(is_negative, pa.scalar("-", TEXTS), pa.scalar("", TEXTS))
    before = pc.utf8_slice_codeunits(padded, 0, -kind.scale)
    after = pc.utf8_slice_codeunits(padded, -kind.scale)
    signed = pc.binary_join_element_wise(sign, before, pa.scalar("", TEXTS))
    return pc.binary_join_element_wise(signed, after, pa.scalar(".", TEXTS))


def _words(column: pa.Array) -> tuple[Int64s, Int64s]:
    """Return the low and the high half of each 128-bit number; the low half is to be read as unsigned."""
    both = np.frombuffer(column.buffers()[1], "<i8", 2 * (len(column) + column.offset)).reshape(-1, 2)[column.offset :]
    return both[:, 0], both[:, 1]


def redshift_numeric(column: pa.Array) -> Fixed:
    """Return the unscaled number in eight bytes, or sixteen above 18 digits (redshift_connector, `numeric_in_binary`)."""
    low, high = _words(column)
    if column.type.precision <= _SMALL_DIGITS:
        return Fixed(big_endian(low, ">i8"), is_valid(column))
    both = np.stack([high, low], axis=1).astype(">i8")
    return Fixed(np.ascontiguousarray(both).view(np.uint8).reshape(len(column), 16), is_valid(column))


def postgres_numeric(column: pa.Array) -> Bytes:
    """Return PostgreSQL's form: count of groups, weight of the first, sign, scale, groups of four digits (`numeric_send`).

    Groups that are zero at either end are left out, as PostgreSQL does.
    """
    scale = column.type.scale
    groups, is_negative = _groups(column, scale)
    count, width = groups.shape
    is_set = groups != 0
    is_nonzero = is_set.any(axis=1)
    first = np.where(is_nonzero, is_set.argmax(axis=1), 0)
    last = np.where(is_nonzero, width - 1 - is_set[:, ::-1].argmax(axis=1), -1)
    fraction_groups = -(-scale // 4)
    header = np.empty((count, 4), ">i2")
    header[:, 0] = last - first + 1
    header[:, 1] = np.where(is_nonzero, width - fraction_groups - 1 - first, 0)
    header[:, 2] = np.where(is_negative & is_nonzero, 0x4000, 0)
    header[:, 3] = scale
    # numpy forgets the byte order when it concatenates
    cells = np.concatenate([header, groups.astype(">i2")], axis=1).astype(">i2")
    index = np.arange(width)
    kept = np.ones((count, 4 + width), np.bool_)
    kept[:, 4:] = (index >= first[:, None]) & (index <= last[:, None])
    valid = is_valid(column)
    if valid is not None:
        kept &= valid[:, None]
    sizes = 2 * kept.sum(axis=1)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    flat = np.ascontiguousarray(cells[kept])
    found = pa.LargeBinaryArray.from_buffers(BYTES, count, [None, pa.py_buffer(offsets), pa.py_buffer(flat.view(np.uint8))])
    return Bytes(found if valid is None else pc.if_else(pa.array(valid), found, pa.scalar(None, BYTES)))


def _groups(column: pa.Array, scale: int) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Return the groups of four digits, the most significant first, aligned at the decimal point, and the signs."""
    low, high = _words(column)
    digits_max = column.type.precision
    fraction_groups, short = -(-scale // 4), scale % 4
    width = fraction_groups + max(0, -(-(digits_max - scale) // 4))
    groups = np.zeros((len(column), max(1, width)), np.int64)
    rest: _Wide | Int64s
    if digits_max <= _SMALL_DIGITS:
        is_negative = low < 0
        rest = np.abs(low)
    else:
        is_negative = high < 0
        rest = _Wide(low, high, is_negative)
    at = groups.shape[1] - 1
    if short:
        rest, group = _divide(rest, 10**short)
        groups[:, at] = group * 10 ** (4 - short)
        at -= 1
    while at >= 0:
        rest, groups[:, at] = _divide(rest, _GROUP)
        at -= 1
    return groups, is_negative


class _Wide:
    """Magnitudes of 128-bit numbers as four 32-bit limbs, the most significant first."""

    __slots__ = ("limbs",)

    def __init__(self, low: Int64s, high: Int64s, is_negative: npt.NDArray[np.bool_]) -> None:
        low_bits, high_bits = low.view(np.uint64), high.view(np.uint64)
        # two's complement: the magnitude of a negative number is its inverse plus one, with a carry out of a low half of zero
        low_size = np.where(is_negative, ~low_bits + np.uint64(1), low_bits)
        carry = (is_negative & (low_bits == 0)).astype(np.uint64)
        high_size = np.where(is_negative, ~high_bits + carry, high_bits)
        mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
        self.limbs: list[npt.NDArray[Any]] = [high_size >> half, high_size & mask, low_size >> half, low_size & mask]


def _divide(rest: Any, by: int) -> tuple[Any, Any]:
    """Return quotient and remainder of each number."""
    if not isinstance(rest, _Wide):
        return np.divmod(rest, by)
    divisor, half = np.uint64(by), np.uint64(32)
    remainder = np.zeros_like(rest.limbs[0])
    found = object.__new__(_Wide)
    found.limbs = []
    for limb in rest.limbs:
        quotient, remainder = np.divmod((remainder << half) | limb, divisor)
        found.limbs.append(quotient)
    return found, remainder.astype(np.int64)
