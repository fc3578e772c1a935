"""The body of a request, in memory and within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

__all__ = ["read_upload"]

_MOST_FIELDS = 30


async def read_upload(request: Request, limit: int, seconds: float) -> tuple[bytes, dict[str, str]]:
    """Read a photograph and the options beside it.

    Parameters
    ----------
    request : Request
        With a form that has the file `image`, or with the photograph itself as its body.
    limit : int
        Largest number of bytes of the body.
    seconds : float
        Longest time that the body may take to come.

    Returns
    -------
    bytes
        The photograph.
    dict of str to str
        Options of the query and of the form, which goes first.

    Raises
    ------
    HTTPException
        400 without a photograph, 408 if it comes too slowly, 413 if it is too large.
    """
    try:
        body = await asyncio.wait_for(_body(request, limit), seconds)
    except TimeoutError as error:
        raise HTTPException(408, f"the photograph did not come within {seconds:g} s") from error
    options = dict(request.query_params)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        if not body:
            raise HTTPException(400, "there is no photograph: send a form with the file 'image', or a body")
        return body, options
    content, fields = await _form(request, body, limit)
    return content, options | fields


async def _body(request: Request, limit: int) -> bytes:
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limit:
        raise HTTPException(413, _too_large(limit))
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, _too_large(limit))
        parts.append(part)
    return b"".join(parts)


async def _form(request: Request, body: bytes, limit: int) -> tuple[bytes, dict[str, str]]:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    parser = MultiPartParser(request.headers, stream(), max_files=1, max_fields=_MOST_FIELDS)  # type: ignore[arg-type]
    parser.spool_max_size = limit + 1  # above, the parser would write a file
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise HTTPException(400, f"the form cannot be read: {error}") from error
    content, fields = b"", {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields[name] = value
            elif name == "image":
                content = await value.read()
            else:
                raise HTTPException(400, f"the file '{name}' is not asked for; the photograph is 'image'")
    finally:
        await form.close()
    if not content:
        raise HTTPException(400, "the form has no file 'image', or it is empty")
    return content, fields


def _too_large(limit: int) -> str:
    return f"the request is larger than {limit / 1e6:g} MB"
