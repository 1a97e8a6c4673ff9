"""`python -m eval.suites`: the suites with the real engines."""

from __future__ import annotations

import sys

from eval.suites.command import REAL, main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], REAL))
