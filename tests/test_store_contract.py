"""What every store promises, held by each: SQLite with FAISS in a folder, and Milvus in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag.indexing import WritableStore
from rag.protocols import Store
from rag.store.local import LocalStore
from rag.store.milvus import MilvusStore
from rag.store.milvus_server import Address, Server
from rag.store.milvus_writer import MilvusWriter
from rag.store.writer import Writer
from tests.contracts import STORE_CONTRACT, Stores


@dataclass
class Local:
    """An index in a folder."""

    folder: Path

    def writer(self, *, rebuild: bool = False, model: str = "model", dimension: int = 2) -> WritableStore:
        return Writer(self.folder, model, model, dimension, rebuild=rebuild)

    def reader(self) -> Store:
        return LocalStore(self.folder)


@dataclass
class Milvus:
    """An index in a database of its own of one Milvus."""

    server: Server

    def writer(self, *, rebuild: bool = False, model: str = "model", dimension: int = 2) -> WritableStore:
        return MilvusWriter(self.server, model, model, dimension, rebuild=rebuild)

    def reader(self) -> Store:
        return MilvusStore(self.server)


@pytest.fixture(params=["local", "milvus"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "local":
        yield Local(tmp_path / "index")
    else:
        server = Server(Address(str(tmp_path / "index.db")))
        yield Milvus(server)
        server.close()


@pytest.mark.parametrize("promise", STORE_CONTRACT, ids=lambda promise: promise.__name__)
def test_a_store_keeps_its_promises(promise: Callable[[Stores], None], stores: Stores) -> None:
    promise(stores)
