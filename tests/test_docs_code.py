"""The code of the pages, run: each page's blocks in order, in one namespace and an empty folder."""

import doctest
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from detectors import faster_rcnn
from godeeper import create_model, export, save
from godeeper.cli.main import status
from godeeper.deploy.detector_export import export_detector
from pages import PAIRS, ROOT, blocks

RUN = {"python", "pycon", "sh"}
WITH_CODE = [page for page, _ in PAIRS if any(b.language in RUN and not b.excerpt_of for b in blocks(page))]
TRAINING = ("deployment", "detection", "explaining", "guide/own-data", "guide/fine-tuning", "guide/own-network", "guide/rmsprop")
SLOW = {"README.md"} | {f"docs/en/{name}.md" for name in TRAINING}  # they train, export, or take what is trained
# They speak of what the reader has made.
READERS = {"README.md", *(f"docs/en/{name}.md" for name in ("deployment", "detection", "explaining", "tour"))}


def run_examples(code, name, namespace):
    """A dialogue with Python, its answers compared."""
    test = doctest.DocTestParser().get_doctest(code, namespace, name, None, 0)
    test.globs = namespace  # not the copy
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append, clear_globs=False)
    assert test.examples
    assert not runner.failures, "".join(report)


def run_line(line):
    """One command: ours in this process, others by a shell."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["godeeper"]:
        assert status(words[1:]) == 0, line
    elif words:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def what_a_reader_has(folder):
    """A run, its export, a detector's, a photograph, and a clone."""
    torch.manual_seed(0)
    network = create_model("googlenet_bn", num_classes=10, width=0.125)
    network.classes = tuple("0123456789")
    save(network, folder / "runs/mine/model.safetensors")
    export(network, folder / "mine.onnx", with_preprocessing=True)
    detector = faster_rcnn(classes=("RBC", "WBC"), image_size=96, longest=160)
    torch.nn.init.normal_(detector.rcnn.roi_heads.box_predictor.cls_score.weight, std=0.1)
    export_detector(detector.eval(), folder / "cells.onnx")
    Image.fromarray(load_sample_image("china.jpg")).save(folder / "photo.jpg")
    (folder / "godeeper").symlink_to(ROOT)


@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow if page in SLOW else ()) for page in WITH_CODE])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, make_once):
    if page in READERS:
        shutil.copytree(make_once("reader", what_a_reader_has), tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    run = 0
    for number, block in enumerate(blocks(page), 1):
        if block.excerpt_of or block.language not in RUN:
            continue
        run += 1
        if block.language == "python":
            exec(compile(block.code, f"{page}, block {number}", "exec"), namespace)
        elif block.language == "pycon":
            run_examples(block.code, f"{page}, block {number}", namespace)
        else:
            for line in block.code.replace("\\\n", " ").splitlines():
                run_line(line)
    assert run


def test_a_wrong_answer_is_seen():
    with pytest.raises(AssertionError, match="Expected"):
        run_examples(">>> 1 + 1\n3\n", "page", {})
