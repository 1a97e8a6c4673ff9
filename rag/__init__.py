"""Whosays: ask your documents, see who says so.

The nouns are in `records` and `errors`; `protocols` holds the seams and `settings` the one tree of settings. Two paths
stand on pure steps: `indexing` (load, split, embed, store) and `answering` (converse, retrieve, read, weigh, compose,
cite). `wiring` turns settings into real objects and is the only file that knows the engines in `backends`; whoever
asks begins there:

    answerer = open_answerer(load_settings(os.environ))
    answerer.ask("Who founded Scale AI?").text
"""

from rag.errors import WhosaysError
from rag.records import Answer, Citation, Turn

__all__ = ["Answer", "Citation", "Turn", "WhosaysError"]
