"""What the server costs: images a second over HTTP against the bare predictor's, waits, and what it does at saturation.

    python benchmarks/serving.py RUN [FOLDER_OF_IMAGES] [--clients 32] [--rounds 7] [-- OPTIONS OF `godeeper serve`]

Both sides start from the same images' bytes and take turns in rounds: the predictor, in this process, is given them all at
once; the server, in a process of its own, is sent them by so many clients, each of which waits for an answer before it asks
again. The clients run in this process, on the same cores as the server: what they cost counts against it. The median over rounds
of the ratios counts. Then a single client, and then four times as many clients as images may wait, that never pause.
"""

from __future__ import annotations

import argparse
import collections
import io
import itertools
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from godeeper import Predictor
from godeeper.data.walk import image_files

Found = list[tuple[int, float]]  # status and seconds of each request


@contextmanager
def server(run: str, options: Sequence[str]) -> Iterator[int]:
    """The port of `godeeper serve`."""
    command = [sys.executable, "-m", "godeeper", "serve", run, "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        try:
            found = re.search(r"http://\S+:(\d+)", line)
            if not found:
                raise SystemExit(line + process.stderr.read())
            yield int(found[1])
        finally:
            process.terminate()


def client(port: int, requests: Iterator[bytes], found: Found) -> None:
    """Sends one request after the other, by hand: a library's client would cost as much as the server."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            start = time.perf_counter()
            connection.sendall(request)
            status = int(answers.readline().split()[1])
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                if line.lower() == b"connection: close\r\n":
                    raise SystemExit(f"the server hung up with status {status}: fewer, smaller images or a larger --max-waiting")
            answers.read(length)
            found.append((status, time.perf_counter() - start))


def request(image: bytes) -> bytes:
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(image)}\r\n\r\n"
    return head.encode() + image


def over_http(port: int, images: Sequence[bytes], clients: int) -> tuple[float, Found]:
    """The seconds that all images take, and what came of each."""
    found: Found = []
    queue = iter([request(image) for image in images])
    lock = threading.Lock()

    def share() -> Iterator[bytes]:
        while True:
            with lock:
                following = next(queue, None)
            if following is None:
                return
            yield following

    threads = [threading.Thread(target=client, args=(port, share(), found)) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start, found


def stormed(port: int, image: bytes, clients: int, seconds: float) -> Found:
    """What comes of clients that ask again at once, also after a refusal; each on a new connection."""
    found: Found = []
    end = time.perf_counter() + seconds
    data = request(image).replace(b"Host: x", b"Host: x\r\nConnection: close", 1)

    def storm() -> None:
        while (start := time.perf_counter()) < end:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                try:
                    connection.sendall(data)
                    answer = b"".join(iter(lambda: connection.recv(65536), b""))
                except ConnectionError:
                    answer = b"HTTP/1.1 0"
            found.append((int(answer.split(maxsplit=2)[1]) if answer else 0, time.perf_counter() - start))

    threads = [threading.Thread(target=storm) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def waits(found: Found) -> str:
    seconds = sorted(second for status, second in found if status == 200)
    return f"p50 {1000 * seconds[len(seconds) // 2]:.1f} ms, p95 {1000 * seconds[int(len(seconds) * 0.95)]:.1f} ms"


def images_of(folder: Path | None, count: int) -> list[bytes]:
    """The bytes of a folder's images, over and over, or of made-up ones of 500x375 pixels."""
    if folder is not None:
        data = [file.read_bytes() for file in image_files(folder)[:200]]
    else:
        data = []
        for seed in range(20):
            coarse = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
            with io.BytesIO() as file:
                Image.fromarray(coarse).resize((500, 375)).save(file, "JPEG", quality=90)
                data.append(file.getvalue())
    return [data[index % len(data)] for index in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=400, help="a round")
    parser.add_argument("--storm", type=float, default=5.0, help="seconds at saturation")
    own = list(itertools.takewhile(lambda option: option != "--", sys.argv[1:]))
    arguments, options = parser.parse_args(own), sys.argv[len(own) + 2 :]
    images = images_of(arguments.folder, arguments.images)
    predictor = Predictor(arguments.run)
    with server(arguments.run, options) as port:
        ratios, bare, served = [], [], []
        for number in range(arguments.rounds + 1):
            start = time.perf_counter()
            collections.deque(predictor.outcomes(images), maxlen=0)
            alone = time.perf_counter() - start
            seconds, found = over_http(port, images, arguments.clients)
            refused = sum(status != 200 for status, _ in found)
            if refused:
                raise SystemExit(f"{refused} requests were refused: fewer --clients")
            if number:  # the first round warms both sides up
                bare.append(len(images) / alone)
                served.append(len(images) / seconds)
                ratios.append(alone / seconds)
        rates = f"{statistics.median(bare):.1f} images/s bare, {statistics.median(served):.1f} served"
        print(
            f"{arguments.clients} clients: {rates}; ratio {statistics.median(ratios):.3f} ({min(ratios):.3f}..{max(ratios):.3f})"
        )
        print(f"their waits: {waits(found)}")
        print(f"one client:  {waits(over_http(port, images[:100], 1)[1])}")
        kept_open: Found = []
        client(port, iter([b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"] * 100), kept_open)
        print(f"one client, /health on an open connection: {waits(kept_open)}")
        clients = 4 * int(dict(itertools.pairwise(options)).get("--max-waiting", 64))
        found = stormed(port, images[0], clients, arguments.storm)
        counts = ", ".join(f"{count} of {status}" for status, count in sorted(collections.Counter(s for s, _ in found).items()))
        answered = sum(status == 200 for status, _ in found) / arguments.storm
        print(f"{clients} clients without a pause: {counts}; {answered:.1f} images/s answered, {waits(found)}")
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}")


if __name__ == "__main__":
    main()
