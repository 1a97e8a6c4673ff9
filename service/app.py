"""The HTTP door: the application, its documentation, and the server that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from html import escape
from importlib.metadata import version
from typing import Any

import typer
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from rag.answering import Answerer
from rag.errors import BadSettings, WhosaysError
from rag.settings import ServiceSettings, Settings
from rag.wiring import open_answerer
from service import openai, routes, uploads
from service.desk import Desk
from service.envelope import Envelope
from service.guard import GUARDED, Guard, check_keys, keys_required
from service.jobs import Uploads
from service.journal import set_up_journal
from service.limits import BodyLimit
from service.mcp import build as build_mcp
from service.mcp import has_mcp, http_routes
from service.metrics import Metrics
from service.metrics import router as metrics_routes
from service.pages import page_routes
from service.problems import all_kinds, documented, respond_with_problems
from service.processes import serve_together
from service.schemas import EXAMPLE_ANSWER, NO_NUL, Problem
from service.traces import Traces

logger = logging.getLogger(__name__)

KEY = {"type": "http", "scheme": "bearer", "description": "A key that `whosays keys add` made."}
MAX_BODY_BYTES = 1_000_000
SECONDS_TO_FINISH = 10
MOST_PROCESSES = 64


def create_app(settings: Settings, open_answerer: Callable[[Settings], Answerer] = open_answerer) -> FastAPI:
    """The application, which opens its answerer when it starts and, failing that, at the first request that can."""
    if settings.service.workers < 1:
        raise BadSettings("service.workers is 0.", hint="Use 1 or more.")
    if settings.service.processes > MOST_PROCESSES:
        raise BadSettings(
            f"service.processes is {settings.service.processes:,}; {MOST_PROCESSES} is the most.",
            hint="Use about as many as there are cores: each holds models of some 400 MB.",
        )
    app = Application(
        title="Whosays",
        version=version("whosays"),
        summary="Answers whose every sentence points at the exact words of a source.",
        lifespan=_open_and_close,
        docs_url=None,
        redoc_url=None,
        # A redirect would be built from whatever Host the asker claims.
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.keys_required = keys_required(settings.service)  # a wrong setting shows now, not at the first request
    desk = Desk(settings, open_answerer)
    metrics = Metrics(settings, lambda: desk.under_way)
    traces = Traces()
    desk.on_answer = (metrics.answer, traces.answered)
    app.state.desk, app.state.metrics, app.state.traces = desk, metrics, traces
    app.state.uploads = Uploads(settings)
    # The last added is the outermost: who asks is settled before a body is read.
    app.add_middleware(BodyLimit, MAX_BODY_BYTES, settings.service.max_upload_mb * 1_000_000)
    app.add_middleware(Guard, settings)
    respond_with_problems(app)
    app.add_middleware(Envelope, metrics, traces)
    for router in (page_routes(), routes.router, openai.router, uploads.router, metrics_routes):
        app.include_router(router)

    if has_mcp():
        app.state.mcp = build_mcp(desk)
        app.router.routes.extend(http_routes(app.state.mcp, guarded=app.state.keys_required))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(documentation(app.openapi()), headers={"Content-Security-Policy": PAGE_MAY})

    return app


def serve(settings: Settings) -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM; answers under way get ten seconds to finish."""
    set_up_journal(settings.log_level)
    check_keys(settings)
    app = create_app(settings)
    manners: dict[str, Any] = {
        "log_config": None,  # its lines go where ours go, in our format
        "log_level": settings.log_level,
        "access_log": False,  # ours tells more, and no names
        "server_header": False,
        "timeout_graceful_shutdown": SECONDS_TO_FINISH,
    }
    # Bound here: uvicorn would leave with its own message and with the exit code of an index problem.
    listener = _listener(settings.service)
    host, port = listener.getsockname()[:2]
    typer.echo(f"Listening on http://{f'[{host}]' if ':' in host else host}:{port} (see /docs). Ctrl-C stops it.")
    # Uvicorn raises the signal again once it has shut down; Ctrl-C is how one stops a server, so no error.
    with contextlib.suppress(KeyboardInterrupt):
        if settings.service.processes > 1:
            serve_together(create_app, settings, listener, **manners)
        else:
            uvicorn.Server(uvicorn.Config(app, **manners)).run(sockets=[listener])


def _listener(service: ServiceSettings) -> socket.socket:
    """A socket that listens where the settings say; port 0 takes any that is free."""
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    try:
        return socket.create_server((service.host, service.port), family=family)
    except (OSError, OverflowError) as error:
        raise BadSettings(
            f"The service cannot listen on {service.host}, port {service.port}: {error}.",
            hint="Set another service.host or service.port.",
        ) from error


@contextlib.asynccontextmanager
async def _open_and_close(app: FastAPI) -> AsyncIterator[None]:
    desk: Desk = app.state.desk
    traces: Traces = app.state.traces
    traces.open()
    try:
        await asyncio.to_thread(desk.answerer)
    except WhosaysError as error:
        logger.warning("Not ready: %s %s", error.message, error.hint)
    uploaded: Uploads = app.state.uploads
    await asyncio.to_thread(uploaded.catch_up)
    async with app.state.mcp.session_manager.run() if has_mcp() else contextlib.nullcontext():
        yield
    await asyncio.to_thread(desk.close)
    await asyncio.to_thread(uploaded.close)
    await asyncio.to_thread(traces.close)


class Application(FastAPI):
    """FastAPI with an OpenAPI document that tells the whole truth."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, in which problems have their shape and no field of a record is optional."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            for name, schema in schemas.items():
                if not name.endswith("Request"):
                    schema["required"] = list(schema["properties"])
            for text in schemas["Turn"]["properties"].values():
                text["pattern"] = NO_NUL
            for request in ("AskRequest", "ChatCompletionRequest"):
                schemas[request]["properties"]["model"]["anyOf"][0]["enum"] = list(self.state.desk.models)
            # Given to the route, FastAPI would drop the nulls from it.
            answered = document["paths"]["/v1/ask"]["post"]["responses"]["200"]
            answered["content"]["application/json"]["example"] = EXAMPLE_ANSWER
            document["components"]["securitySchemes"] = {"key": KEY}
            for path, methods in document["paths"].items():
                for operation in methods.values() if path.startswith(GUARDED) else ():
                    _document_key(operation, path, everywhere=self.state.keys_required)
        return super().openapi()


def _document_key(operation: dict[str, Any], path: str, *, everywhere: bool) -> None:
    """Say that an operation takes a key: where keys are required each does, and what is an admin's does always."""
    admins = "403" in operation["responses"] and path != "/metrics"
    operation["security"] = [{"key": []}] if everywhere or admins else [{"key": []}, {}]
    if everywhere:
        named = {str(status): response for status, response in documented(401, 429).items()}
        operation["responses"] = named | operation["responses"]


# ---- the documentation as one page that loads nothing else: Swagger's would fetch its script from elsewhere ------

PAGE_MAY = "default-src 'none'; style-src 'unsafe-inline'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ overflow-x: auto; padding: .75rem; background: color-mix(in srgb, currentColor 8%, transparent) }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }}
h2 {{ margin-top: 2.5rem }}
</style></head><body>
<h1>{title}</h1><p>{summary}</p><p>The same for programs: <a href="openapi.json">openapi.json</a></p>
{body}
</body></html>
"""


def documentation(openapi: dict[str, Any]) -> str:
    """An OpenAPI document as a page for people."""
    body = [
        line
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
        for line in _operation(f"{method.upper()} {path}", operation)
    ]
    body.append("<h2>Records</h2>")
    for name, schema in openapi["components"]["schemas"].items():
        body.append(f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{_prose(schema.get("description"))}</p>')
        fields = schema.get("properties", {}).items()
        body.append(_table((escape(field), _type(of), _prose(of.get("description"))) for field, of in fields))
    body.append("<h2>Problems</h2>")
    body.append(
        _table(
            (f'<code id="{kind.code}">{kind.code}</code>', str(kind.status), _prose(f"{kind.title}. {kind.hint}"))
            for kind in all_kinds()
        )
    )
    info = openapi["info"]
    return PAGE.format(
        title=escape(f"{info['title']} {info['version']}"), summary=escape(info["summary"]), body="\n".join(body)
    )


def _operation(name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{escape(name)}</code></h2><p>{_prose(operation.get('description'))}</p>"
    yield _table(
        (f"{escape(given['name'])} ({given['in']})", _type(given["schema"]), _prose(given.get("description")))
        for given in operation.get("parameters", [])
    )
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Takes {_type(content['schema'])} as <code>{escape(media)}</code>.</p>"
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            yield f"<p>{status}: {_type(content['schema'])} as <code>{escape(media)}</code>. "
            yield f"{_prose(response['description'])}</p>"
            if "example" in content:
                example = content["example"]
                text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
                yield f"<pre>{escape(text)}</pre>"


def _prose(text: str | None) -> str:
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text or ""))


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return f"<table><tr>{'</tr><tr>'.join(lines)}</tr></table>" if lines else ""


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words, such as "list of Citation"."""
    match schema:
        case {"$ref": reference}:
            name = escape(reference.rpartition("/")[2])
            return f'<a href="#{name}">{name}</a>'
        case {"anyOf": several}:
            return " or ".join(map(_type, several))
        case {"enum": values}:
            return " or ".join(escape(json.dumps(value)) for value in values)
        case {"const": value}:
            return escape(json.dumps(value))
        case {"items": items}:
            return f"list of {_type(items)}"
        case {"additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case _:
            return escape(str(schema.get("type", "anything")))
