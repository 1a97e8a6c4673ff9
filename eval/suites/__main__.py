"""`python -m eval.suites`: the suites with the real engines."""

from __future__ import annotations

import sys

from eval.suites.bench import Engines
from eval.suites.command import main
from rag.wiring import open_answerer, open_reader, open_retriever

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Engines(open_reader, open_reader, open_retriever, open_answerer)))
