"""The page at `/`: a few files, read once and served under their exact names."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter, Request, Response

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cache-Control": "no-cache",  # kept, but asked for again: a newer version is seen at once
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def page_routes() -> APIRouter:
    """The routes of the page and of what it loads; no other name reaches the file system."""
    router = APIRouter(include_in_schema=False)
    for file in files("service").joinpath("page").iterdir():
        content_type = CONTENT_TYPES.get(PurePath(file.name).suffix)
        if content_type is not None:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            _add(router, path, file.read_bytes(), content_type)
    return router


def _add(router: APIRouter, path: str, content: bytes, content_type: str) -> None:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag}

    async def serve(request: Request) -> Response:
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if known & {tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=content_type, headers=headers)

    router.add_api_route(path, serve, methods=["GET", "HEAD"], name=f"page {path}")
