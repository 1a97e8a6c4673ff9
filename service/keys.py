"""The keys that askers show: made, listed, revoked and checked.

The file holds the SHA-256 of each key. A slow password hash would add nothing: a key is 256 random bits, which nobody
can try out, and the hash is computed at every request.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from rag.errors import BadInput, BadSettings
from rag.settings import Settings

Role = Literal["admin", "asker"]

ROLES: tuple[Role, ...] = get_args(Role)
LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key; `id` names it to people, and the key itself cannot be made from it."""

    id: str
    name: str
    role: Role
    sha256: str
    created: str
    revoked: str | None = None


class KeyFile:
    """A file of keys; read anew when it changes, so that a key revoked is refused at the next request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read_at: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def listed(self) -> tuple[Key, ...]:
        """Every key, the oldest first; raises BadSettings where the file is spoilt, so that it lets nobody in."""
        with self._lock:
            try:
                status = self.path.stat()
            except FileNotFoundError:
                self._read_at, self._keys = None, ()
                return ()
            state = (status.st_mtime_ns, status.st_size, status.st_ino)
            if state != self._read_at:
                self._keys = self._read()
                self._read_at = state
            return self._keys

    def add(self, name: str, role: str) -> str:
        """Make a key and give it; it is shown this once and can never be read again."""
        if role not in ROLES:
            raise BadInput(f"There is no role {role!r}.", hint=f"Use one of: {', '.join(ROLES)}.")
        if not name.strip():
            raise BadInput("The key has no name.", hint="Say whose it is: whosays keys add NAME")
        secret = f"whosays_{secrets.token_urlsafe(32)}"
        key = Key(secrets.token_hex(4), name, role, _digest(secret), _now())
        with self._changing():
            self._write((*self.listed(), key))
        return secret

    def revoke(self, key_id: str) -> Key:
        """Let a key in no more; raises BadInput where there is none of this id."""
        with self._changing():
            keys = self.listed()
            found = next((key for key in keys if key.id == key_id), None)
            if found is None:
                raise BadInput(f"There is no key {key_id!r}.", hint="See the ids: whosays keys list")
            revoked = replace(found, revoked=found.revoked or _now())
            self._write(tuple(revoked if key is found else key for key in keys))
        return revoked

    def find(self, secret: str) -> Key | None:
        """The valid key that this is, if any; takes as long for a near miss as for a far one."""
        digest = _digest(secret[:LONGEST_KEY])
        found = None
        for key in self.listed():
            # All are compared, whichever fits: how long it takes says nothing of where it fitted or how far.
            if hmac.compare_digest(key.sha256, digest) and key.revoked is None:
                found = key
        return found

    def has(self, role: Role) -> bool:
        """Whether there is a valid key of this role."""
        return any(key.role == role and key.revoked is None for key in self.listed())

    def _read(self) -> tuple[Key, ...]:
        try:
            return tuple(Key(**row) for row in json.loads(self.path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise BadSettings(
                f"The file of keys {self.path} cannot be read: {error}.",
                hint="Mend it, or remove it and make new keys: whosays keys add",
            ) from error

    def _write(self, keys: tuple[Key, ...]) -> None:
        """Write the file whole or not at all, for its owner's eyes only."""
        temporary = self.path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps([asdict(key) for key in keys], indent=1) + "\n", "utf-8")
        temporary.replace(self.path)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the file against others who change it."""
        import fcntl

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise BadSettings(
                f"The file of keys {self.path} cannot be written: {error.strerror or error}.",
                hint="Check the folder's permissions, or name another file: WHOSAYS_SERVICE__KEYS=FILE",
            ) from error


def open_keys(settings: Settings) -> KeyFile:
    """The file of keys that the settings name, else the one in the index's folder."""
    named = settings.service.keys
    return KeyFile(Path(named).expanduser() if named else Path(settings.index).expanduser() / "keys.json")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
