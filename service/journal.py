"""The service's log: one JSON object a line, each with the id of the request that it belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

from rag.logs import set_up_logs

current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
"""The id of the request that is being answered."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what is given as `extra={"fields": {...}}` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": current_request.get(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_journal(level: str) -> None:
    """Send our log lines to standard error as JSON, from `level` (debug, info, warning, error) on."""
    set_up_logs(level)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonLines())
