"""Logging for every door: one line a record on standard error."""

from __future__ import annotations

import logging

from rag.errors import BadSettings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logs(level: str) -> None:
    """Send our log lines to standard error from `level` (debug, info, warning, error) on."""
    if level not in LEVELS:
        raise BadSettings(f"log_level is {level!r}.", hint=f"Use one of: {', '.join(LEVELS)}.")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING, force=True)
    for package in ("rag", "service", "eval"):
        logging.getLogger(package).setLevel(LEVELS[level])
