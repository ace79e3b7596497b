"""Memory over an hour: of a training, of a server under good and bad requests, or of a process that runs already.

    python benchmarks/long_run.py train CSV [--minutes 60] [--data digits]
    python benchmarks/long_run.py serve CSV [--minutes 60] [--rate 2] [--run godeeper/cifar10]
    python benchmarks/long_run.py attach CSV PID [--minutes 60]

`train` starts `godeeper train` with more epochs than the time holds, `serve` starts `godeeper serve` and sends it, so many
times a second, an image or something worse: damaged, not an image, empty, too many pixels, a body that never comes whole. The
resident memory of the process and of all that it started is written to CSV every few seconds, and the median of the first
quarter of the time stands against that of the last. An answer with another status than its request deserves ends the script
with status 1. `python docs/measurements.py memory FOLDER` keeps two such files for the figure of docs/en/reliability.md.
"""

from __future__ import annotations

import argparse
import collections
import csv
import http.client
import io
import random
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

TRAIN = ["train", "--model", "googlenet_bn", "--small", "--width", "0.25", "--tracker", "none", "--epochs", "100000"]
Row = tuple[float, float, int]  # seconds since the start, MB, processes


def memory(process: psutil.Process) -> tuple[float, int]:
    """The resident MB of a process and of all that it started, and how many processes they are."""
    sizes = []
    for each in [process, *process.children(recursive=True)]:
        try:
            sizes.append(each.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:  # it ended between the two calls
            continue
    return sum(sizes), len(sizes)


def record(pid: int, path: Path, minutes: float, every: float) -> list[Row]:
    """Writes a line of CSV every so many seconds, until the time is up or the process has ended."""
    process, start, rows = psutil.Process(pid), time.monotonic(), []
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seconds", "mb", "processes"])
        while time.monotonic() - start < 60 * minutes:
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    break
                mb, processes = memory(process)
            except psutil.NoSuchProcess:
                break
            rows.append((time.monotonic() - start, mb, processes))
            writer.writerow([f"{rows[-1][0]:.1f}", f"{mb:.1f}", processes])
            file.flush()
            time.sleep(every)
    return rows


def summary(rows: list[Row]) -> str:
    """The median of the first quarter of the time against that of the last."""
    end = rows[-1][0]
    first = statistics.median(mb for seconds, mb, _ in rows if seconds <= end / 4)
    last = statistics.median(mb for seconds, mb, _ in rows if seconds >= 3 * end / 4)
    return (
        f"{end / 60:.1f} minutes, {len(rows)} samples: first quarter {first:.1f} MB, last quarter {last:.1f} MB "
        f"({last - first:+.1f} MB, {100 * (last / first - 1):+.2f} %), most {max(mb for _, mb, _ in rows):.1f} MB"
    )


def encoded(image: Image.Image, kind: str) -> bytes:
    with io.BytesIO() as file:
        image.save(file, kind)
        return file.getvalue()


def bodies() -> list[tuple[str, bytes, int]]:
    """What is sent: its name, its bytes, and the status that it deserves."""
    noise = [np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8) for seed in range(8)]
    images = [Image.fromarray(each) for each in noise]
    sizes = [(32, 32), (200, 150), (500, 375), (640, 480), (1000, 750), (2000, 1500)]
    good = [("JPEG", encoded(image.resize(size), "JPEG"), 200) for image, size in zip(images, sizes, strict=False)]
    good.append(("PNG with alpha", encoded(images[6].resize((300, 200)).convert("RGBA"), "PNG"), 200))
    good.append(("WebP", encoded(images[7].resize((400, 300)), "WEBP"), 200))
    bomb = encoded(Image.new("L", (20_000, 20_000)), "PNG")  # 400 million pixels in 0.4 MB
    bad = [
        ("cut off", good[2][1][:4000], 400),
        ("text", b"this is no image" * 50, 400),
        ("empty", b"", 400),
        ("too many pixels", bomb, 400),
        ("plain PBM", b"P1 40 40\n" + b"1 " * 1600, 400),
        ("flipped bytes", bytes(255 - byte for byte in good[1][1]), 400),
    ]
    return good * 2 + bad


def ask(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def break_off(port: int) -> None:
    """A client that announces more than it sends, and goes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000)


def send(port: int, rate: float, stopped: threading.Event, found: collections.Counter[tuple[str, str]]) -> None:
    """Requests, so many a second, in an order drawn at random, until `stopped`; counts what came of each kind."""
    draw, kinds = random.Random(0), bodies()
    while not stopped.wait(1 / rate):
        name, body, deserved = draw.choice(kinds)
        try:
            if draw.random() < 0.05:
                break_off(port)
                found["broken off", "as it should be"] += 1
                continue
            status = ask(port, body)
        except OSError as error:
            found[name, f"no answer: {error}"] += 1
            continue
        found[name, "as it should be" if status == deserved else f"status {status}, not {deserved}"] += 1


@contextmanager
def started(arguments: list[str], log: Path) -> Iterator[psutil.Popen]:
    """`godeeper` with these arguments, what it tells in `log`; ended by SIGTERM afterwards."""
    with log.open("w") as file:
        process = psutil.Popen([sys.executable, "-m", "godeeper", *arguments], stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        print(f"godeeper {arguments[0]} ended with status {process.wait(60)}; what it told is in {log}")


def port_of(process: psutil.Popen, log: Path) -> int:
    """The port that a server tells that it listens on."""
    while process.poll() is None:
        if address := re.search(r"http://\S+:(\d+)", log.read_text()):
            return int(address[1])
        time.sleep(0.1)
    raise SystemExit(log.read_text())


def watch_serving(run: str, rate: float, log: Path, record_it: Callable[[int], list[Row]]) -> bool:
    """Records a server under requests; whether each was answered as it should be."""
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    with started(["serve", run, "--port", "0"], log) as process:
        stopped = threading.Event()
        sender = threading.Thread(target=send, args=(port_of(process, log), rate, stopped, found))
        sender.start()
        try:
            print(summary(record_it(process.pid)))
        finally:
            stopped.set()
            sender.join()
    for (name, outcome), count in sorted(found.items()):
        print(f"{count:6d}  {name}: {outcome}")
    print(f"{found.total()} requests")
    return all(outcome == "as it should be" for _, outcome in found)


def watch_training(data: str, log: Path, record_it: Callable[[int], list[Row]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with started([*TRAIN, "--data", data, "--out", f"{folder}/run"], log) as process:
            print(summary(record_it(process.pid)))
        metrics = Path(folder, "run/metrics.jsonl")
        print(f"{len(metrics.read_text().splitlines()) if metrics.exists() else 0} epochs")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "serve", "attach"):
        command = commands.add_parser(name)
        command.add_argument("csv", type=Path)
        command.add_argument("--minutes", type=float, default=60)
        command.add_argument("--every", type=float, default=5, help="seconds between two samples")
        if name == "train":
            command.add_argument("--data", default="digits")
        elif name == "serve":
            command.add_argument("--run", default="godeeper/cifar10")
            command.add_argument("--rate", type=float, default=2, help="requests a second")
        else:
            command.add_argument("pid", type=int)
    arguments = parser.parse_args()

    def record_it(pid: int) -> list[Row]:
        return record(pid, arguments.csv, arguments.minutes, arguments.every)

    log = Path(f"{arguments.csv}.log")
    if arguments.command == "serve":
        return 0 if watch_serving(arguments.run, arguments.rate, log, record_it) else 1
    if arguments.command == "train":
        watch_training(arguments.data, log, record_it)
    else:
        print(summary(record_it(arguments.pid)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
