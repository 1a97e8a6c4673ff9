"""`whosays keys`: make, list and revoke the keys of the service."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from service.options import IndexOption, JsonOption, settings_from

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

RoleOption = Annotated[str, typer.Option("--role", metavar="ROLE", help="admin or asker; admins also upload.")]


@app.callback()
def keys() -> None:
    """Make, list and revoke the keys that askers show to the service."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, for the list.")],
    role: RoleOption = "asker",
    index: IndexOption = None,
) -> None:
    """Make a key and print it: this once, for only its hash is kept."""
    from service.keys import open_keys

    secret = open_keys(settings_from(index)).add(name, role)
    sys.stderr.write("Keep it safe: it is not shown again. Send it as Authorization: Bearer KEY.\n")
    sys.stdout.write(f"{secret}\n")


@app.command("list")
def list_keys(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """List the keys: their ids, names and roles, and which are revoked."""
    from service.keys import open_keys

    found = open_keys(settings_from(index)).listed()
    if as_json:
        rows = [{name: value for name, value in asdict(key).items() if name != "sha256"} for key in found]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    for key in found:
        state = f"revoked {key.revoked}" if key.revoked else f"since {key.created}"
        shown = "".join(letter if letter.isprintable() else " " for letter in key.name)
        sys.stdout.write(f"{key.id}  {key.role:<5}  {state}  {shown}\n")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list has it.")],
    index: IndexOption = None,
) -> None:
    """Let a key in no more, from the next request on."""
    from service.keys import open_keys

    key = open_keys(settings_from(index)).revoke(key_id)
    sys.stderr.write(f"{key.id} is revoked.\n")
