"""What the commands share: their options, the settings that these make, and JSON on standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rag.logs import set_up_logs
from rag.settings import Settings, load_settings

EXIT_INTERRUPTED = 130

IndexOption = Annotated[str | None, typer.Option("--index", metavar="DIR", help="The index's folder, else .whosays.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="What words the answer, such as ollama/llama3.2.")
]
HostOption = Annotated[str | None, typer.Option("--host", metavar="HOST", help="The address, else 127.0.0.1.")]
PortOption = Annotated[int | None, typer.Option("--port", metavar="PORT", help="The port, else 8000.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the record alone, as JSON.")]


def settings_from(index: str | None, model: str | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """The settings in force under these flags, with logging set up by them."""
    settings = load_settings(os.environ, Path(), {"index": index, "model": model, **(flags or {})})
    set_up_logs(settings.log_level)
    return settings


def print_json(record: Any) -> None:
    """Write a record to standard output, as JSON."""
    from service.render import json_text

    sys.stdout.write(json_text(record, sys.stdout) + "\n")
