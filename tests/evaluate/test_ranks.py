"""Several processes: what one of them raises ends all, and one of them alone reports it."""

import json
import sys
from datetime import timedelta
from subprocess import PIPE

import numpy as np
import pytest
import torch
from torch import distributed as dist

from detectors import SETTINGS, SMALL
from godeeper import BadImage, GodeeperError
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.data.open_annotations import open_annotations
from godeeper.detect.detections import Detections
from godeeper.detect.detector import find_all
from godeeper.errors import FailedElsewhere
from godeeper.evaluate import evaluate
from godeeper.preprocess import Preprocess
from godeeper.ranks import fail_together
from processes import GODEEPER, running
from scenes import voc_folder

PLAIN = Preprocess.of(32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class OnlyHere:
    """Finds nothing in one process, and breaks in the other."""

    def __init__(self, breaks):
        self.breaks, self.found_in = breaks, 0

    def find(self, image):
        if self.breaks:
            raise RuntimeError("out of memory")
        self.found_in += 1
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


def one_fails(rank, failing):
    with fail_together():
        if rank in failing:
            raise GodeeperError(f"bad in {rank}")


def one_fails_in_a_loop(rank):
    """The other stops early: it would wait in vain for the one that has failed to come back."""
    with fail_together() as stop_where_failed:
        if rank == 1:
            raise BadImage("bad in 1")
        while True:
            stop_where_failed()


def in_process(rank, folder):
    """What each way of failing raises in this process."""
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )  # fmt: skip
    images = open_annotations(folder / "voc", "test")
    files = FileDataset([*images.files[:3], folder / "bad.jpg"], [0] * 4)
    raised = []
    for fails in (
        lambda: one_fails(rank, {1}),
        lambda: one_fails(rank, {0, 1}),
        lambda: one_fails_in_a_loop(rank),
        lambda: find_all(OnlyHere(rank == 1), images),
        lambda: evaluate(lambda x: x.mean((2, 3)), files, PLAIN, batch_size=1),
        lambda: one_fails(rank, set()),
    ):
        try:
            raised.append(["nothing", str(fails())])
        except Exception as error:
            raised.append([type(error).__name__, str(error)])
    (folder / f"{rank}.json").write_text(json.dumps([raised, counted()]))
    dist.destroy_process_group()


def counted():
    """Images and errors of 25 images, shared evenly by no two processes, half of which have the wrong label."""
    arrays = np.stack([np.full((8, 8), 10 * index, np.uint8) for index in range(25)])
    images = ArrayDataset(arrays, [index % 2 for index in range(25)], "grey")
    result = evaluate(lambda x: torch.stack([torch.full_like(x[:, 0, 0, 0], 0.5), x.mean((1, 2, 3))], 1), images, PLAIN)
    return [result.images, result.outcomes().top1_errors]


def test_two_processes_count_what_one_counts_and_what_one_raises_both_raise(tmp_path):
    voc_folder(tmp_path / "voc", {"test": range(12, 16)})
    (tmp_path / "bad.jpg").write_text("no image")
    torch.multiprocessing.start_processes(in_process, (tmp_path,), nprocs=2, start_method="spawn")
    (first, counts), (second, same) = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert [kind for kind, _ in second] == ["GodeeperError", "FailedElsewhere", "BadImage", "RuntimeError", "BadImage", "nothing"]
    assert [kind for kind, _ in first] == ["FailedElsewhere", "GodeeperError", *["FailedElsewhere"] * 3, "nothing"]
    assert first[0] == ["FailedElsewhere", "process 1: bad in 1"]
    assert second[1] == ["FailedElsewhere", "process 0: bad in 0"]
    assert first[3][1] == "process 1: out of memory"
    assert "bad.jpg" in first[4][1]
    assert counts == same == counted()
    assert counts[0] == 25
    assert counts[1] > 0


def test_alone_a_block_is_nothing():
    with pytest.raises(GodeeperError, match="bad in 0"):
        one_fails(0, {0})
    with fail_together() as stop_where_failed:
        stop_where_failed()
    assert not issubclass(BadImage, FailedElsewhere)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["a bad image", "no data", "a run is there already"])
def test_all_processes_of_a_command_end_with_one_line(tmp_path, case):
    voc = voc_folder(tmp_path / "voc", {"train": range(4), "test": range(12, 16)})
    train = [*SMALL, "--data", voc, "--epochs", 1, "--batch-size", 2, "--workers", 0, "--validate", "none", *SETTINGS]
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "godeeper"]
    with running(*GODEEPER, "detect", "train", *train, "--out", run, stderr=PIPE) as process:
        _, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    if case == "a bad image":
        file = voc / "JPEGImages/scene013.jpg"  # of the second process
        file.write_bytes(file.read_bytes()[:1500])
    command = {
        "a bad image": ["detect", "evaluate", run, "--data", voc],
        "no data": ["detect", "evaluate", run, "--data", tmp_path / "nosuch"],
        "a run is there already": ["detect", "train", *train, "--out", run],
    }[case]
    with running(*launch, *command, stderr=PIPE, stdout=PIPE) as process:
        _, err = process.communicate(timeout=200)
    lines = [line for line in err.splitlines() if line.startswith("godeeper: ")]
    words = {"a bad image": "scene013.jpg", "no data": "nosuch", "a run is there already": "holds a run already"}[case]
    assert len(lines) == 1, err
    assert words in lines[0]
    assert process.returncode != 0
