"""Makes tests.generate.… importable, also when pytest is not started as a module."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
