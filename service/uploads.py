"""The routes by which an admin puts documents into the index and takes them out."""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from rag.errors import SourceUnknown
from service.guard import Admin
from service.jobs import DOCUMENTED_NAME, Job, Uploads
from service.problems import documented
from service.sandbox import OF_CONTENT_TYPES

router = APIRouter()

DOCUMENT = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The document itself; under a name with a known ending it may be sent as any type.",
        "content": dict.fromkeys(OF_CONTENT_TYPES, DOCUMENT),
    }
}
BEGUN: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job that was begun.",
        "headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
        "links": {"job": {"operationId": "show_job", "parameters": {"job": "$response.body#/id"}}},
    }
}

Name = Annotated[str, Path(json_schema_extra={"pattern": DOCUMENTED_NAME})]


def _uploads(request: Request) -> Uploads:
    uploads: Uploads = request.app.state.uploads
    return uploads


TheUploads = Annotated[Uploads, Depends(_uploads)]


@router.put(
    "/v1/sources/{source:path}",
    status_code=202,
    responses=BEGUN | documented(401, 403, 409, 413, 415, 422, 503),
    openapi_extra=BODY,
    summary="Upload a document",
)
async def put_source(source: Name, request: Request, response: Response, _: Admin, uploads: TheUploads) -> Job:
    """Index a document under this name, in the place of the one that had it; takes the key of an admin.

    The name takes the ending of the content type where it has none that is read. Poll the job: once it is `done`, the
    document is found without a restart. Questions under way are answered from the index as it was.
    """
    name = uploads.name_for(source, request.headers.get("content-type", ""))
    await run_in_threadpool(uploads.check_own, name)
    staged = await run_in_threadpool(uploads.stage)
    try:
        await _receive(request, staged)
        job = await run_in_threadpool(uploads.put, name, staged)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.delete(
    "/v1/sources/{source:path}",
    status_code=202,
    responses=BEGUN | documented(401, 403, 404, 409, 503),
    summary="Remove an uploaded document",
)
def delete_source(source: str, response: Response, _: Admin, uploads: TheUploads) -> Job:
    """Remove a document that was uploaded, and all that was indexed of it; takes the key of an admin."""
    if uploads.check_own(source) is None:
        raise SourceUnknown(f"There is no source named {source!r} in the index.", hint="See GET /v1/sources.")
    job = uploads.delete(source)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.get("/v1/jobs/{job}", responses=documented(401, 403, 404), summary="What became of an upload")
def show_job(job: str, _: Admin, uploads: TheUploads) -> Job:
    """Tell whether a document is indexed yet, and if it failed, why; takes the key of an admin."""
    return uploads.job(job)


async def _receive(request: Request, staged: File) -> None:
    with staged.open("wb") as file:
        async for piece in request.stream():
            await run_in_threadpool(file.write, piece)
