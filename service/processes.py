"""Several processes behind one address: one index, one listening socket, and counts that are told together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from rag.settings import Settings
from service.journal import set_up_journal

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which several processes count together; prometheus_client knows it by this name."""

SECONDS_OF_SILENCE = 30  # of a process, until another takes its place: opening the models keeps it busy


def serve_together(
    create: Callable[[Settings], FastAPI], settings: Settings, listener: socket.socket, **more: Any
) -> None:
    """Answer in as many processes as the settings say, until Ctrl-C or SIGTERM; one that dies is replaced.

    Each finishes what it is answering. They count into files, in a folder that lasts as long as the service.
    """
    config = uvicorn.Config(
        partial(_application, create, settings),
        factory=True,
        workers=settings.service.processes,
        timeout_worker_healthcheck=SECONDS_OF_SILENCE,
        **more,
    )
    with tempfile.TemporaryDirectory(prefix="whosays-") as counts:
        os.environ[SHARED_FOLDER] = counts
        _Supervisor(config, sockets=[listener]).run()


def alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class _Supervisor(Multiprocess):
    def terminate_all(self) -> None:
        # Else what comes now would wait for an answer until the last process has ended.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _application(create: Callable[[Settings], FastAPI], settings: Settings) -> FastAPI:
    """The application of one process, called there."""
    set_up_journal(settings.log_level)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    return create(settings)


def _end_with_the_first() -> None:
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os.kill(os.getpid(), signal.SIGTERM)
