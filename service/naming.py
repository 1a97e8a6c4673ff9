"""What a person types to name a source, or a part of one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.errors import BadInput, SourceUnknown
from rag.records import Source


def source_and_span(names: Sequence[str], wanted: str) -> tuple[str, tuple[int, int] | None]:
    """The name of the source that is meant, and the span; a source may itself be named like a span."""
    spanned = re.fullmatch(r"(.+):(\d{1,15})-(\d{1,15})", wanted, re.ASCII | re.DOTALL)
    if wanted in names or not spanned:
        return _full_name(names, wanted), None
    return _full_name(names, spanned[1]), (int(spanned[2]), int(spanned[3]))


def _full_name(names: Sequence[str], wanted: str) -> str:
    """The one name that begins with `wanted`, or `wanted` itself; raises SourceUnknown where several do."""
    found = [name for name in names if name.startswith(wanted)] if wanted else []
    if wanted in found or not found:
        return wanted.encode("utf-8", "backslashreplace").decode()
    if len(found) > 1:
        some = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise SourceUnknown(f"{len(found)} sources begin with {wanted!r}.", hint=f"Give more of the name: {some}")
    return found[0]


def slice_of(source: Source, start: int, end: int) -> str:
    """The part of a source's text that a span names; raises BadInput where there is none."""
    if not start < end <= len(source.text):
        holds = f"{source.name} has {len(source.text)} characters"
        raise BadInput(f"There is no part {start}-{end}: {holds}.", hint="START must be less than END.")
    return source.text[start:end]
