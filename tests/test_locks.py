"""A folder is one process's at a time, which its lock names, and a crash leaves free."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from full_disk import disk
from godeeper import GodeeperError, locks
from godeeper.locks import LOCK_FILE, is_gone, locked, present
from processes import GODEEPER, kill, start

SPAWN = get_context("spawn")
BUSY = r"is in use by process \d+ on \S+, since 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d: wait until that ends, or name another folder$"


def contend(folder, barrier, accepted, rounds):
    """In each round tries to get a folder at the same time as the others, and holds it until all have tried."""
    locks.SECONDS = 0.01
    for number in range(rounds):
        barrier.wait(60)
        try:
            with locked(folder / str(number)):
                accepted.put(number)
                barrier.wait(60)
        except GodeeperError as error:
            refused = str(error)
            barrier.wait(60)
            assert re.search(f"{BUSY}|is in use by another process: ", refused)  # which has not written its name yet


def hold(folder, ready):
    with locked(folder):
        ready.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """The process that holds the folder `run`."""
    ready = SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path / "run", ready))
    process.start()
    assert ready.wait(60)
    yield process
    process.kill()
    process.join()


def test_of_several_on_a_barrier_exactly_one_is_accepted_each_time(tmp_path):
    count, rounds = 3, 40
    barrier, accepted = SPAWN.Barrier(count), SPAWN.SimpleQueue()
    processes = [SPAWN.Process(target=contend, args=(tmp_path, barrier, accepted, rounds)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * count
    rounds_won = []
    while not accepted.empty():
        rounds_won.append(accepted.get())
    assert sorted(rounds_won) == list(range(rounds))
    assert list(tmp_path.glob("*/*")) == []


def test_who_holds_it_is_named_and_a_killed_holder_holds_nothing(tmp_path, holder):
    folder = tmp_path / "run"
    with pytest.raises(GodeeperError, match=BUSY) as caught, locked(folder):
        pass
    assert f"process {holder.pid} on {socket.gethostname()}" in str(caught.value)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert (folder / LOCK_FILE).is_file()  # as it left it
    with locked(folder):
        assert json.loads((folder / LOCK_FILE).read_text())["pid"] == os.getpid()
    assert list(folder.iterdir()) == []


def test_in_one_process_too_and_a_holder_that_leaves_is_waited_for(tmp_path, monkeypatch):
    (tmp_path / "mine").touch()
    with locked(tmp_path), pytest.raises(GodeeperError, match=BUSY), locked(tmp_path):
        pass
    monkeypatch.setattr(locks, "SECONDS", 60)
    left = threading.Event()

    def leave_soon():
        with locked(tmp_path):
            left.set()
            time.sleep(0.1)

    thread = threading.Thread(target=leave_soon)
    thread.start()
    left.wait()
    with locked(tmp_path):
        assert {file.name for file in tmp_path.iterdir()} == {"mine", LOCK_FILE}
    thread.join()
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_what_is_checked_is_checked_by_the_holder_and_given_back(tmp_path):
    def refuse():
        assert (tmp_path / "new" / LOCK_FILE).is_file()
        raise GodeeperError("it holds a run already")

    with pytest.raises(GodeeperError, match="holds a run already"), locked(tmp_path / "new", refuse):
        pass
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(GodeeperError, match=r"cannot make '.*file/run': Not a directory$"), locked(tmp_path / "file" / "run"):
        pass

    def refuse(self, **_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)  # what /proc answers
    with pytest.raises(GodeeperError, match=r"cannot make '.*new': No such file or directory$"), locked(tmp_path / "new"):
        pass


def test_of_processes_that_work_together_the_first_one_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "rank_and_ranks", lambda: (1, 2))
    with locked(tmp_path / "run"):
        assert not (tmp_path / "run").exists()


def train_there(folder):
    import torch

    from godeeper import Recipe, create_model
    from godeeper.data.dataset import ArrayDataset
    from godeeper.train import train

    images = ArrayDataset(torch.zeros(4, 8, 8, dtype=torch.uint8).numpy(), [0, 1] * 2, "made")
    network = create_model("googlenet_bn", num_classes=2, width=0.1, small=True)
    train(network, images, Recipe(epochs=1, batch_size=2, auxiliary_weight=0), folder, trackers=())


def reproduce_there(folder):
    from godeeper.claims import CLAIMS
    from godeeper.claims.claim_folder import reproduce

    reproduce(CLAIMS["counting"], "cpu", "digits", folder)


def evaluate_there(folder):
    from godeeper import workflows

    workflows.evaluate(["runs/none"], "digits", report=folder)


def write_a_table_there(folder):
    from godeeper.deploy.table_parts import join_jsonl, write_table

    write_table(folder.with_suffix(""), [folder], lambda _: [], {}, join_jsonl)


def write_shards_there(folder):
    from godeeper.data.dataset import DataSplits
    from godeeper.data.write_shards import write_shards

    write_shards(DataSplits(("a", "b"), [], [], ""), folder.with_name("images"), folder)


def explain_there(folder):
    from godeeper.explain import explanation_page

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(explanation_page, "_images", lambda *_: ())
        explanation_page.write_page(folder, None, None, {})


@pytest.mark.parametrize(
    "work",
    [
        train_there,
        evaluate_there,
        write_a_table_there,
        write_shards_there,
        explain_there,
        pytest.param(reproduce_there, marks=pytest.mark.slow),
    ],
)
def test_whatever_works_in_a_folder_refuses_one_in_use(work, tmp_path):
    folder = tmp_path / "table.parts"
    with locked(folder):
        before = {file.name for file in folder.iterdir()}
        with pytest.raises(GodeeperError, match=BUSY):
            work(folder)
        assert {file.name for file in folder.iterdir()} == before == {LOCK_FILE}


TINY = ["--model", "googlenet_bn", "--small", "--width", "0.125", "--data", "digits", "--set", "image_size=16", "--workers", "0"]


def end_of(*commands):
    """Runs commands at the same time: the status of each, and the last line of what it said."""
    env = {**os.environ, "MPLCONFIGDIR": tempfile.mkdtemp(dir=os.environ["MPLCONFIGDIR"])}  # made where it is there, too
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    processes = [start(*GODEEPER, *command, env=env, **streams) for command in commands]
    try:
        said = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            kill(process)
    return sorted((process.returncode, text.splitlines()[-1]) for process, text in zip(processes, said, strict=True))


@pytest.mark.slow
def test_of_two_trainings_and_of_two_that_resume_one_goes_on(tmp_path):
    run = tmp_path / "run"
    line = ["train", *TINY, "--epochs", "2", "--tracker", "none", "--out", run]
    for commands in ([line, line], [["train", "--resume", "--tracker", "none", "--workers", "0", "--out", run]] * 2):
        (good, done), (bad, refused) = end_of(*commands)
        assert (good, bad) == (0, 2)
        assert done.startswith("done: ")
        assert re.search(BUSY, refused) or "holds a run already" in refused
        (run / "model.safetensors").unlink()
        sorted((run / "checkpoints").iterdir())[-1].unlink()  # back to the end of the first epoch
        assert not (run / LOCK_FILE).exists()


def test_a_full_disk_keeps_no_folder_from_being_locked(tmp_path):
    """What does not fit is the holder's name."""
    with disk(full_at=1, room=0), locked(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK_FILE).read_text() == ""
        with pytest.raises(GodeeperError, match="in use by another process"), locked(tmp_path / "run"):
            pass
    assert not (tmp_path / "run").exists()


def be_present(folder, ready):
    with present(folder, 1):
        ready.set()
        time.sleep(60)


def test_a_process_that_was_killed_is_gone(tmp_path):
    ready = SPAWN.Event()
    process = SPAWN.Process(target=be_present, args=(tmp_path, ready))
    process.start()
    try:
        assert ready.wait(60)
        assert not is_gone(tmp_path, 1)
    finally:
        process.kill()
        process.join()
    assert is_gone(tmp_path, 1)
