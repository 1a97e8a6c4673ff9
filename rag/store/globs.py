"""Names of sources that are given, or match a pattern that is given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import apsw

# A name counts as itself, for it may hold brackets, and as a pattern.
MATCHING = """SELECT value FROM json_each(?1) WHERE value IN (SELECT value FROM json_each(?2)) UNION
    SELECT names.value FROM json_each(?2) AS given, json_each(?1) AS names
    WHERE given.value GLOB '*[*?[]*' AND names.value GLOB given.value"""


def matching(given: Sequence[str], names: Iterable[str]) -> list[str]:
    """Which of the names are given, or match a given pattern, as the local store's search has it."""
    connection = apsw.Connection(":memory:")
    lists = (json.dumps(list(names)), json.dumps([name.encode("utf-8", "replace").decode("utf-8") for name in given]))
    try:
        return [str(name) for (name,) in connection.execute(MATCHING, lists)]
    finally:
        connection.close()
