"""Giving up: whoever waits for an answer may leave, and the work that is done for them ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancellation:
    """Says whether an answer is still waited for, to those who make it; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more."""
        return self._over.is_set()

    def give_up(self) -> None:
        """Say that nobody waits any more: what `calling` names is called, each once, in this thread."""
        with self._lock:
            self._over.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def rest(self, seconds: float) -> None:
        """Sleep, but no longer than somebody waits."""
        self._over.wait(seconds)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Inside, giving up calls `callback`: at once where it has been given up already."""
        with self._lock:
            if not self.given_up:
                self._callbacks.append(callback)
        if self.given_up:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Inside, in this thread, `cancellation()` is this one."""
        before = _current.set(self)
        try:
            yield
        finally:
            _current.reset(before)


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


def cancellation() -> Cancellation:
    """The one in force, or one that nobody gives up."""
    return _current.get() or Cancellation()
