"""The connection to Milvus: a file that Milvus Lite opens in this process, or a server; its errors in our words.

    milvus:FILE.db              a file, for one process at a time
    http(s)://HOST:19530        a server or a cluster; its token and database come from the environment

Everything here is asked alike of both: https://milvus.io/docs/milvus_lite.md names what the file does not have.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import ConnectionConfigException, MilvusException, MilvusUnavailableException

from rag.errors import BadSettings, IndexDamaged, IndexLocked, IndexRefused, IndexUnreachable, WhosaysError

FILE_PREFIX = "milvus:"
FILE_SUFFIX = ".db"
TOKEN = "MILVUS_TOKEN"
DATABASE = "MILVUS_DATABASE"
SECONDS = 10.0  # that a request may take; one of a writer, or one to a file, ten times as long
BATCH = 128  # rows that one request carries: a server takes 64 megabytes, and a row has up to 0.2
PAGE = 1_000  # rows that are fetched at a time

COLLECTION_GONE, DATABASE_GONE = (100,), (6, 800)
TURNED_AWAY = (5, 1400, 1401, 1800, 2100)  # https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go
STATUS_TURNED_AWAY = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the index lies: a server's address or the path of a file, and what opens it."""

    uri: str
    token: str = field(default="", repr=False)
    database: str = ""

    @property
    def file(self) -> bool:
        """Whether it is a file that this process opens."""
        return "://" not in self.uri

    def __str__(self) -> str:
        return f"{self.uri}, database {self.database}" if self.database else self.uri


def address_of(uri: str, environ: Mapping[str, str]) -> Address:
    """The address that the setting `store.uri` names; raises BadSettings."""
    if uri.startswith(("http://", "https://")):
        _check_url(uri)
        return Address(uri, environ.get(TOKEN, ""), environ.get(DATABASE, ""))
    path = uri.removeprefix(FILE_PREFIX)
    if not path.endswith(FILE_SUFFIX):
        raise BadSettings(
            f"store.uri is {uri!r}.", hint=f"Write milvus:index{FILE_SUFFIX} for a file, or http://HOST:19530."
        )
    return Address(str(Path(path).expanduser().resolve()), database=environ.get(DATABASE, ""))


def _check_url(uri: str) -> None:
    """Raise BadSettings for an address that no server can have, or that holds what would be shown in messages."""
    if "@" in uri:
        raise BadSettings(
            "store.uri holds a name or a password.",
            hint=f"Put USER:PASSWORD into {TOKEN} and take it out of the address.",
        )
    try:
        named = urlsplit(uri).hostname
        _ = urlsplit(uri).port
    except ValueError:
        named = None
    if not named:
        raise BadSettings(f"store.uri is {uri!r}, which names no host and port.", hint="Write http://HOST:19530")


class Server:
    """Milvus at one address; safe to use from several threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        # A search of Milvus Lite 3.2 beside a flush can see a row neither as it was nor as it became.
        self._turn: Any = threading.RLock() if address.file else contextlib.nullcontext()
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs what it raises, with tracebacks
        with self.translated():
            if address.file:
                Path(address.uri).parent.mkdir(parents=True, exist_ok=True)
            self._client: Any = MilvusClient(
                address.uri, token=address.token, db_name=address.database, timeout=self._patience, dedicated=True
            )

    def close(self) -> None:
        """Close the connection, and the file where it is one."""
        self._client.close()

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the errors of Milvus and of the network into ours; requests to a file take turns."""
        try:
            with self._turn:
                yield
        except (MilvusException, grpc.RpcError, OSError) as error:
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> WhosaysError:
        code = _code(error)
        told = error.details() if isinstance(error, grpc.Call) else getattr(error, "message", "")
        message = str(told or error)
        if self.address.file and isinstance(error, (ConnectionConfigException, OSError)):
            return IndexLocked(
                f"The index in {self.address} is open in another program, or cannot be opened.",
                hint="A file of Milvus serves one program at a time; for several, name a server in store.uri.",
            )
        if code in (*TURNED_AWAY, *STATUS_TURNED_AWAY) or _code(error.__cause__) in STATUS_TURNED_AWAY:
            return IndexRefused(
                f"Milvus at {self.address} refuses the token.",
                hint=f"Set {TOKEN} to USER:PASSWORD or to an API key that may use the database.",
            )
        if code in COLLECTION_GONE:
            return IndexDamaged(
                f"The index in {self.address} is damaged: a part of it is gone.", hint="Build it anew: --rebuild"
            )
        if code in DATABASE_GONE and "database" in message:
            return IndexRefused(
                f"Milvus at {self.address} has no such database.", hint=f"Make it, or correct {DATABASE}."
            )
        unanswered = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, 1, 2, None)
        if isinstance(error, (MilvusUnavailableException, ConnectionConfigException)) or code in unanswered:
            return IndexUnreachable(
                f"Milvus at {self.address} does not answer: {_first_line(message)}.",
                hint="Start it, or correct the setting store.uri.",
            )
        return IndexRefused(f"Milvus at {self.address} refuses: {_first_line(message)}.")

    @property
    def _patience(self) -> float:
        """Seconds that a reader's request may take.

        Milvus Lite reads a whole file at the first request, and makes its index of words at the first search for some.
        """
        return 10 * SECONDS if self.address.file else SECONDS

    @property
    def dense_index(self) -> str:
        """The kind of index for vectors.

        The one that Milvus Lite chooses is a graph, which loses what it should find where a condition leaves few rows
        over, or many vectors are alike; a server sees to that. Milvus Lite compares all, which is what it is fit for.
        """
        with self.translated():
            return "FLAT" if "lite" in self._client.get_server_version(timeout=self._patience) else "AUTOINDEX"

    # ---- collections ---------------------------------------------------------------------------

    def collections(self) -> list[str]:
        """The names of all collections."""
        with self.translated():
            return list(self._client.list_collections(timeout=self._patience))

    def create(self, name: str, schema: Any, indices: Any) -> None:
        """Make a collection and load it."""
        with self.translated():
            self._client.create_collection(name, schema=schema, timeout=10 * SECONDS)
            self._client.create_index(name, indices, timeout=10 * SECONDS, sync=False)
            self._client.load_collection(name, timeout=10 * SECONDS)

    def load(self, name: str) -> None:
        """Have a collection searchable; a server that was started anew has none so."""
        with self.translated():
            self._client.load_collection(name, timeout=10 * SECONDS)

    def drop(self, name: str) -> None:
        """Remove a collection."""
        with self.translated():
            self._client.drop_collection(name, timeout=10 * SECONDS)

    def flush(self, name: str) -> None:
        """Have all that was written on disk, and indexed."""
        with self.translated():
            self._client.flush(name, timeout=60 * SECONDS)

    # ---- rows ----------------------------------------------------------------------------------

    def insert(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows."""
        with self.translated():
            for start in range(0, len(rows), BATCH):
                self._client.insert(name, list(rows[start : start + BATCH]), timeout=10 * SECONDS)

    def upsert(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows in the place of those with their identifiers."""
        with self.translated():
            for start in range(0, len(rows), BATCH):
                self._client.upsert(name, list(rows[start : start + BATCH]), timeout=10 * SECONDS)

    def delete(self, name: str, condition: str) -> None:
        """Remove the rows of which the condition is true."""
        with self.translated():
            self._client.delete(name, filter=condition, timeout=10 * SECONDS)

    def rows(self, name: str, condition: str, fields: Sequence[str], consistency: str = "Strong") -> list[Any]:
        """The rows of which the condition is true, at most `PAGE`, in no order."""
        with self.translated():
            return list(
                self._client.query(
                    name,
                    filter=condition,
                    output_fields=list(fields),
                    limit=PAGE,
                    consistency_level=consistency,
                    timeout=self._patience,
                )
            )

    def every_row(self, name: str, condition: str, fields: Sequence[str]) -> Iterator[Any]:
        """All rows of which the condition is true, however many, in the order of their identifiers."""
        with self.translated():
            iterator = self._client.query_iterator(
                name,
                filter=condition,
                output_fields=list(fields),
                batch_size=PAGE,
                consistency_level="Strong",
                timeout=10 * SECONDS,
            )
        try:
            while batch := self._next(iterator):
                yield from batch
        finally:
            with self.translated():
                iterator.close()

    def _next(self, iterator: Any) -> Any:
        with self.translated():
            return iterator.next()

    def search(
        self,
        name: str,
        queries: Sequence[Any],
        *,
        on: str,
        metric: str,
        condition: str,
        limit: int,
        consistency: str,
        fields: Sequence[str] = ("id",),
    ) -> list[list[tuple[int, float, Mapping[str, Any]]]]:
        """For each query the best rows as (id, score, fields), best first."""
        with self.translated():
            found = self._client.search(
                name,
                data=list(queries),
                anns_field=on,
                filter=condition,
                limit=limit,
                output_fields=list(fields),
                search_params={"metric_type": metric},
                consistency_level=consistency,
                timeout=self._patience,
            )
        # Milvus Lite 3.2 gives BM25 with its sign turned; no score of it is negative.
        sign = abs if metric == "BM25" else float
        return [[(int(hit["id"]), float(sign(hit["distance"])), hit["entity"]) for hit in hits] for hits in found]


_servers: dict[Address, Server] = {}
_servers_lock = threading.Lock()


def server_at(address: Address) -> Server:
    """The one connection of this process to an address, made at the first call."""
    with _servers_lock:
        if address not in _servers:
            _servers[address] = Server(address)
        return _servers[address]


def _code(error: BaseException | None) -> Any:
    """The error's number at Milvus, or its gRPC status."""
    code = getattr(error, "code", None)
    return code() if callable(code) else code


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0].rstrip(".")[:200]
