"""Room on Python's stack for statements that nest deeply, given back when they have been read.

sqlglot's parser takes about 45 frames for one level of parentheses, and the binder a dozen; Python's limit of 1,000 would end at twenty
levels. The limit belongs to the whole process, so it is raised only while a statement needs it: who counts on a RecursionError meanwhile,
as the interpreter of procedures does, gets it a little later, and afterwards where it always was.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_FRAMES_PER_LEVEL: Final = 64
_SPARE_FRAMES: Final = 400
_lock = threading.Lock()
_needs: list[int] = []
_usual: list[int] = []


@contextmanager
def room_for(levels: int) -> Iterator[None]:
    """Hold Python's recursion limit high enough for `levels` levels of nesting below the caller; may be entered by several threads.

    The first to enter notes the limit, the last to leave sets it again.
    """
    need = _depth() + _FRAMES_PER_LEVEL * levels + _SPARE_FRAMES
    if need <= sys.getrecursionlimit() and not _needs:
        yield
        return
    with _lock:
        if not _usual:
            _usual.append(sys.getrecursionlimit())
        _needs.append(need)
        sys.setrecursionlimit(max(*_needs, *_usual))
    try:
        yield
    finally:
        with _lock:
            _needs.remove(need)
            if not _needs:
                sys.setrecursionlimit(_usual[0])
                _usual.clear()


def _depth() -> int:
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count
