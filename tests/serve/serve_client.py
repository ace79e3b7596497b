"""A server in a process of its own, and what a client needs to talk to it."""

import contextlib
import http.client
import io
import json
import re
import socket
import subprocess

import numpy as np
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from processes import GODEEPER, kill, start

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TIMEOUT, WAITING, BYTES = 2, 16, 2_000_000
LIMITS = f"--port 0 --timeout {TIMEOUT} --max-batch 8 --max-waiting {WAITING} --max-bytes {BYTES} --max-pixels 4000000".split()
JPEG = {"content-type": "image/jpeg"}


class Server:
    """`godeeper serve` on a free port."""

    def __init__(self, weights, *options):
        self.process = start(*GODEEPER, "serve", weights, *LIMITS, *options, stderr=subprocess.PIPE)
        self.line = self.process.stderr.readline()
        self.port = int(re.search(r":(\d+)", self.line)[1])

    def ask(self, path, body=None, headers=JPEG, method=None):
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def predict(self, body, query="", headers=JPEG):
        """Status and JSON of an answer to an image."""
        status, _, answer = self.ask(f"/predict{query}", body, headers)
        return status, json.loads(answer)

    def metrics(self):
        """The server's counters by name."""
        text = self.ask("/metrics")[2].decode()
        return {s.name + s.labels.get("status", ""): s.value for f in text_string_to_metric_families(text) for s in f.samples}

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def peak(self):
        """The most memory that the process ever had, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as lines:
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def stop(self):
        kill(self.process)


def image(width=80, height=60, seed=0):
    """A JPEG file's bytes."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(pixels).resize((width, height)).save(file, "JPEG")
        return file.getvalue()


def form(content, name="image", filename="cat.jpg"):
    """Body and headers of a form with one file."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + content + b"\r\n--XX--\r\n", {"content-type": "multipart/form-data; boundary=XX"}


def read_all(connection):
    """What a server sends until it closes the connection."""
    with contextlib.suppress(ConnectionError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""
