"""A file to a source, its passages and their vectors, ready to be stored; here or in a worker elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import Unparsable
from rag.load import File, read_source
from rag.protocols import Embedder, Parser
from rag.records import Passage, Source
from rag.split import passages

if TYPE_CHECKING:
    from rag.protocols import Vectors

PART = 32  # passages embedded at a time: Ctrl-C waits for no more


@dataclass(frozen=True, slots=True)
class Cut:
    """A source and its passages, with the digest of what is embedded of each."""

    source: Source
    passages: list[Passage]
    digests: list[bytes]

    def texts(self) -> dict[bytes, str]:
        """What is embedded, by its digest."""
        return {d: embedded_text(self.source, p) for d, p in zip(self.digests, self.passages, strict=True)}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of a file: a source with the vectors of its passages, or the reason why there is none.

    `unseen` says that whoever was to read it has no such file.
    """

    path: str
    cut: Cut | None = None
    vectors: tuple[bytes, ...] = ()
    reason: str = ""
    unseen: bool = False


class Preparer:
    """Reads, cuts and embeds files."""

    def __init__(
        self,
        embedder: Embedder,
        parsers: Mapping[str, Parser],
        to_rows: Callable[[Vectors], list[bytes]],
        *,
        tokens: int,
        overlap: int,
        max_file_mb: int,
    ) -> None:
        self._embedder = embedder
        self.parsers = parsers
        self._to_rows = to_rows
        self._tokens = tokens
        self._overlap = overlap
        self.max_bytes = max_file_mb * 1_000_000
        self.recipe = f"1:{tokens}:{overlap}"  # a source is read again when the way it is cut has changed

    def cut(self, file: File) -> Cut:
        """The file's source and passages; raises Unparsable with the reason where it holds none."""
        source = read_source(file, self.parsers, self.max_bytes)
        cut = passages(source, self._tokens, self._overlap, self._embedder.count_tokens)
        return Cut(source, cut, [hashlib.sha256(embedded_text(source, p).encode("utf-8")).digest() for p in cut])

    def embedded(self, texts: Mapping[bytes, str]) -> dict[bytes, bytes]:
        """The vectors of texts as they are stored, by digest."""
        return dict(zip(texts, self._to_rows(self._embedder.embed(list(texts.values()))), strict=True))

    def prepared(self, files: Sequence[File]) -> list[Prepared]:
        """The files, each ready to be stored, in their order; their passages are embedded together."""
        cuts: dict[str, Cut | Prepared] = {}
        texts: dict[bytes, str] = {}
        for file in files:
            path = str(file.path)
            try:
                cut = self.cut(file)
            except Unparsable as error:
                cuts[path] = Prepared(path, reason=error.message, unseen=not file.path.exists())
                continue
            cuts[path] = cut
            texts |= cut.texts()
        vectors: dict[bytes, bytes] = {}
        for part in parts_by_length(texts):
            vectors |= self.embedded(part)
        return [
            of if isinstance(of, Prepared) else Prepared(path, of, tuple(vectors[digest] for digest in of.digests))
            for path, of in cuts.items()
        ]


def parts_by_length(texts: Mapping[bytes, str]) -> list[dict[bytes, str]]:
    """The texts in parts that are embedded at a time, the longest first, since like lengths need little padding."""
    order = sorted(texts, key=lambda digest: -len(texts[digest]))
    return [{digest: texts[digest] for digest in order[start : start + PART]} for start in range(0, len(order), PART)]


def embedded_text(source: Source, passage: Passage) -> str:
    """What the embedding model reads of a passage: title and heading in front of its words."""
    return "\n".join(filter(None, (source.title, passage.heading, passage.text)))
