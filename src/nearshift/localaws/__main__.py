"""`python -m nearshift.localaws`."""

from __future__ import annotations

import sys

from nearshift.localaws.server import main

if __name__ == "__main__":
    sys.exit(main())
