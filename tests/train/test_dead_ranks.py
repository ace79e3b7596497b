"""A process of several is killed: the others end by themselves, each with one line, also without torchrun to end them."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image

from godeeper.errors import is_process_gone
from processes import running

TRAINS = dedent("""
    import os, signal, sys
    from godeeper.cli.main import main
    from godeeper.train import loop

    train_step = loop._Training._train_step

    def dies(self, batch, epoch, done, totals):
        if os.environ["RANK"] == os.environ["DIES"] and done == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        train_step(self, batch, epoch, done, totals)

    loop._Training._train_step = dies
    line = "train --model googlenet_bn --small --width 0.125 --data digits --epochs 2 --batch-size 64 --workers 0 --tracker none"
    settings = "--set image_size=16 --set auxiliary_weight=0 --set warmup_epochs=0 --set sync_batch_norm=false"
    main([*line.split(), *settings.split(), "--out", sys.argv[1] + "/run"])
""")

PREDICTS = dedent("""
    import os, signal, sys
    from godeeper.cli.main import main
    from godeeper.deploy import table_parts

    write = table_parts._write

    def dies(file, lines):
        if os.environ["RANK"] == os.environ["DIES"] and file.suffix == ".jsonl":
            os.kill(os.getpid(), signal.SIGKILL)
        write(file, lines)

    table_parts._write = dies
    main(["predict", sys.argv[2], sys.argv[1] + "/images", "--out", sys.argv[1] + "/table.csv", "--engine", "torch"])
""")


def start_two(script: str, dies: int, folder: Path, *more: object) -> list[tuple[int, str]]:
    """Exit status and stderr of two processes that know of each other by their environment alone, as on two machines."""
    (folder / "script.py").write_text(script)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    about = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "DIES": str(dies), "OMP_NUM_THREADS": "1"}
    with ExitStack() as stack:
        processes = []
        for rank in range(2):
            environment = {**os.environ, **about, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            command = [sys.executable, folder / "script.py", folder, *more]
            processes.append(stack.enter_context(running(*command, env=environment, stderr=subprocess.PIPE)))
        return [(process.wait(300), process.stderr.read()) for process in processes]


def check_ends(ended: list[tuple[int, str]], dies: int) -> None:
    assert ended[dies][0] == -9
    code, error = ended[1 - dies]
    lines = [line for line in error.splitlines() if line.startswith("godeeper: ")]
    assert (code, len(lines)) == (2, 1), error
    assert "gone" in lines[0]
    assert "Traceback" not in error


@pytest.mark.slow
@pytest.mark.parametrize("dies", [0, 1])
def test_training_ends(tmp_path, dies):
    check_ends(start_two(TRAINS, dies, tmp_path), dies)


@pytest.mark.slow
def test_a_table_ends(tmp_path, weights_file):
    """The first process, which waits for the parts of the second."""
    (tmp_path / "images").mkdir()
    for index in range(600):
        Image.fromarray(np.full((8, 8, 3), index % 256, np.uint8)).save(tmp_path / "images" / f"{index}.png")
    check_ends(start_two(PREDICTS, 1, tmp_path, weights_file), 1)
    assert not (tmp_path / "table.csv").exists()


@pytest.mark.parametrize(
    ("message", "is_gone"),
    [
        ("[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:40112", True),
        ("[gloo/transport/tcp/pair.cc:534] Read error [127.0.0.1]:1234: Connection reset by peer", True),
        ("Connection closed by peer", False),  # a download's
        ("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", False),
    ],
)
def test_what_says_that_a_process_is_gone(message, is_gone):
    assert is_process_gone(RuntimeError(message)) == is_gone
