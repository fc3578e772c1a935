"""The application: a page, one request to cut objects out, and what it says when something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files

from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from jointtask.api import ConfigError, DataError, UserError
from jointtask_object_extraction.extract.cutter import Cutter
from jointtask_object_extraction.serve.answer import answer
from jointtask_object_extraction.serve.interface import openapi
from jointtask_object_extraction.serve.line import Line
from jointtask_object_extraction.serve.options import read_options
from jointtask_object_extraction.serve.upload import read_upload

__all__ = ["Limits", "make_app"]

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@frozen
class Limits:
    """What a server takes on.

    Attributes
    ----------
    bytes : int
        Largest request.
    threads : int
        Photographs worked on at once.
    waiting : int
        Photographs that may wait.
    upload_seconds : float
        Longest time of an upload.
    seconds : float
        Longest time from the upload to the answer.
    """

    bytes: int = 25_000_000
    threads: int = 1
    waiting: int = 16
    upload_seconds: float = 30.0
    seconds: float = 60.0


def make_app(cutter: Cutter, limits: Limits, hosts: Sequence[str] = ("*",)) -> Starlette:
    """Make the application.

    Parameters
    ----------
    cutter : Cutter
        Cutter of the objects; its `max_pixels` holds before anything is decoded.
    limits : Limits
        Limits of a request.
    hosts : sequence of str
        Names that requests may address it by; others could come from any web page that a visitor has open.
    """
    line = Line(limits.threads, limits.waiting, limits.seconds)
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")

    async def show(request: Request) -> Response:
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    async def extract(request: Request) -> Response:
        content, given = await read_upload(request, limits.bytes, limits.upload_seconds)
        wanted = read_options(given)
        body, media, headers = await line.run(lambda: answer(cutter, content, wanted))
        return Response(body, media_type=media, headers={**headers, "Cache-Control": "no-store"})

    async def describe(request: Request) -> Response:
        return JSONResponse(openapi())

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "line": line.length})

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        line.close()

    return Starlette(
        routes=[
            Route("/", show),
            Route("/extract", extract, methods=["POST"]),
            Route("/openapi.json", describe),
            Route("/health", health),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={HTTPException: _refused, UserError: _unusable, Exception: _failed},
        lifespan=lifespan,
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # it is registered for these
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _unusable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)  # it is registered for these
    code = 400 if isinstance(error, ConfigError) else 422 if isinstance(error, DataError) else 500
    if isinstance(error, DataError) and getattr(error, "problem", "") == "too large":
        code = 413
    text = ": ".join(filter(None, [error.message, error.cause]))
    return JSONResponse({"error": text}, code)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the photograph could not be worked on: {type(error).__name__}"}, 500)
