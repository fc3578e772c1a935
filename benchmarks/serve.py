"""`jointtask serve` under load: ``python benchmarks/serve.py ../shared/data/ECSSD/images --model model.onnx``.

Clients ask at once for cut-outs, masks, several objects and what is refused; one `Cutter` answers all, in threads. The
memory of the server is printed along the way, and the same question must have the same answer each time. It fails if
memory grows by more than `MOST_GROWTH` after the first tenth, or an answer is not as expected.
"""

from __future__ import annotations

import collections
import hashlib
import http.client
import itertools
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from measuring import machine

QUESTIONS = (
    "output=mask",
    "output=cutout&background=white&format=jpg",
    "output=json",
    "output=all",
    "output=json&objects=2",
    "output=mask&box=20,20,200,200",
    "output=mask&point=100,100",
    "output=json&box=5,5,5,5",
)
"""Of which the last is refused; the box and the point lie in each photograph of ECSSD but the smallest."""

PHOTOGRAPHS = 40
MOST_GROWTH = 50
"""MiB."""


def memory(process: int, field: str) -> float:
    """Return what Linux says of a process's memory, in MiB: VmRSS now, VmHWM at most so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


class Load:
    """Clients that share a list of questions.

    Parameters
    ----------
    port : int
        Where the server listens.
    photographs : list of bytes
        What they ask about, in turn.
    requests : int
        Number of questions.
    """

    def __init__(self, port: int, photographs: list[bytes], requests: int) -> None:
        self.port, self.photographs = port, photographs
        self._numbers = iter(range(requests))
        self._lock = threading.Lock()
        self.seconds: list[float] = []
        self.statuses: collections.Counter[int] = collections.Counter()
        self.answers: dict[tuple[int, str], set[str]] = collections.defaultdict(set)

    def client(self) -> None:
        """Ask until there are no more questions."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            photograph, question = number % len(self.photographs), QUESTIONS[number % len(QUESTIONS)]
            content = b"no photograph" if number % 50 == 49 else self.photographs[photograph]
            start = time.perf_counter()
            connection.request("POST", f"/extract?{question}", content, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            body = answer.read()
            with self._lock:
                self.seconds.append(time.perf_counter() - start)
                self.statuses[answer.status] += 1
                if number % 50 != 49:
                    self.answers[photograph, question].add(hashlib.sha256(body).hexdigest())


def main(
    images: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    requests: Annotated[int, typer.Option(help="Number of requests.")] = 2000,
    clients: Annotated[int, typer.Option(help="Clients at once.")] = 20,
    threads: Annotated[int, typer.Option(help="Threads of the server.")] = 2,
    model: Annotated[str, typer.Option(help="As of `jointtask serve`.")] = "shipped",
) -> None:
    """Ask, and print what came back and how much memory the server had."""
    photographs = [path.read_bytes() for path in itertools.islice(sorted(images.glob("*.jpg")), PHOTOGRAPHS)]
    command = [sys.executable, "-u", "-m", "jointtask", "serve", "--port", "0", "--threads", str(threads)]
    command += ["--queue", str(clients), "--timeout", "300", "--model", model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().split()[0].rpartition(":")[2])
            load = Load(port, photographs, requests)
            start, idle = time.perf_counter(), memory(server.pid, "VmRSS")
            asking = [threading.Thread(target=load.client) for _ in range(clients)]
            for client in asking:
                client.start()
            along: list[float] = []
            while any(client.is_alive() for client in asking):
                time.sleep(0.05)
                if len(load.seconds) >= requests * (len(along) + 1) // 10:
                    along.append(memory(server.pid, "VmRSS"))
            taken, peak = time.perf_counter() - start, memory(server.pid, "VmHWM")
        finally:
            server.send_signal(signal.SIGINT)
    print(f"{requests} requests of {clients} clients at once, {threads} threads, model {model}; {machine()}")
    middle, longest = statistics.median(load.seconds), max(load.seconds)
    tenths = " ".join(f"{size:.0f}" for size in along)
    print(f"statuses {dict(sorted(load.statuses.items()))}; {requests / taken:.1f} answers a second")
    print(f"seconds of an answer: median {middle:.2f}, longest {longest:.2f}")
    print(f"MiB resident: {idle:.0f} before, {tenths} at each tenth, {peak:.0f} at most")
    differing = sum(len(found) > 1 for found in load.answers.values())
    print(f"{len(load.answers)} different questions, of which {differing} had more than one answer")
    if along[-1] - along[0] > MOST_GROWTH or differing or not set(load.statuses) <= {200, 400, 422}:
        raise SystemExit("not as expected")


if __name__ == "__main__":
    typer.run(main)
