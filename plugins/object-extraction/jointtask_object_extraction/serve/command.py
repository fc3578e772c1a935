"""The command `jointtask serve`: a page to drop photographs on."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from jointtask.api import ConfigError
from jointtask.tools import open_progress
from jointtask_object_extraction.extract.cutter import Cutter

__all__ = ["serve"]

_HERE = ("127.0.0.1", "localhost", "::1")


def serve(
    model: Annotated[
        str, typer.Option("--model", help="A run directory, an exported .onnx file, shipped-onnx, or a predictor.")
    ] = "shipped",
    host: Annotated[str, typer.Option("--host", help="Address to listen at; the default is this machine alone.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8000,
    max_megabytes: Annotated[float, typer.Option("--max-megabytes", min=0.001, help="Largest request.")] = 25,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", min=1, help="Refuse larger photographs, before they are decoded.")
    ] = 50_000_000,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Photographs worked on at once.")] = 1,
    queue: Annotated[int, typer.Option("--queue", min=0, help="Photographs that may wait; more are turned away.")] = 16,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that an answer may take.")] = 60,
    draws: Annotated[int, typer.Option("--draws", min=0, max=1000, help="Boxes drawn to judge results by.")] = 0,
) -> None:
    """Serve a page to drop photographs on, and an HTTP interface: POST /extract, described at /openapi.json."""
    try:
        import uvicorn

        from jointtask_object_extraction.serve.app import Limits, make_app
    except ImportError as error:
        raise ConfigError(
            f"serve needs the module '{error.name}'", remedy="pip install 'jointtask-object-extraction[serve]'"
        ) from error
    progress = open_progress()
    cutter = Cutter(model, draws=draws, max_pixels=max_pixels, progress=progress)
    limits = Limits(bytes=round(max_megabytes * 1e6), threads=threads, waiting=queue, seconds=timeout)
    if host in _HERE:
        hosts = ["127.0.0.1", "localhost", "[::1]"]
    else:
        hosts = ["*"]
        progress.say(f"warning: {host} may be reached from other machines; there is no password")
    listener = _listen(host, port)
    name, number = listener.getsockname()[:2]
    typer.echo(f"http://{f'[{name}]' if ':' in name else name}:{number} (Ctrl-C ends it)")
    config = uvicorn.Config(
        make_app(cutter, limits, hosts),
        log_level="warning",
        limit_concurrency=4 * (threads + queue) + 16,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections from now on, so that the address that is printed works at once."""
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ConfigError(
            f"{host}:{port} cannot be listened at", cause=error.strerror or str(error), remedy="choose another --port"
        ) from error
    return listener
