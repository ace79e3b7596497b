"""`evaluate`, `ensemble` and `tables` as a person uses them: on runs, on a made-up ILSVRC 2012, with other class orders."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import create_model, load, save
from godeeper.cli.main import status
from godeeper.data.ilsvrc_kit import kit_order, synsets
from godeeper.labels import imagenet_names
from godeeper.preprocess import Preprocess
from processes import GODEEPER, running


def result_of(line, capsys):
    assert status([*line, "--workers", "0", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(line, capsys):
    assert status(line) == 2
    error = capsys.readouterr().err
    assert error.startswith("godeeper: ")
    return error


def ranking(classes, file, order=None):
    """A network that, whatever it sees, finds the first class of `order` the likeliest, the second next, and so on."""
    order = list(order or classes)
    network = create_model("googlenet_bn", num_classes=len(classes), width=0.125, small=True)
    linear = network.head["linear"].linear
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.copy_(torch.tensor([-2.0 * order.index(name) for name in classes]).clamp(min=-60))
    network.classes, network.preprocess = tuple(classes), Preprocess.of(16)
    save(network, file)
    return str(file)


LABELS = [
    0,
    0,
    0,
    1,
    4,
    4,
    5,
    6,
    999,
    999,
]  # of images 1 to 10: 3 right, 3 among five, 4 wrong by a network that ranks 0, 1, 2 ...


@pytest.fixture
def ilsvrc(tmp_path):
    """Ten images of a validation set as released, with kit and blacklist."""
    (tmp_path / "val").mkdir()
    (tmp_path / "kit" / "data").mkdir(parents=True)
    for number, label in enumerate(LABELS, 1):
        Image.new("RGB", (20, 16), (label % 256, 9 * number, 0)).save(tmp_path / "val" / f"ILSVRC2012_val_{number:08}.JPEG")
    ids = [kit_order().index(synsets()[label]) + 1 for label in LABELS]
    truth = tmp_path / "kit" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("".join(f"{one}\n" for one in ids))
    lines = [f"{synset} {number} name\n" for number, synset in enumerate(kit_order(), 1)]
    (tmp_path / "kit" / "data" / "map_clsloc.txt").write_text("".join(lines))
    (tmp_path / "blacklist.txt").write_text("1\n7\n8\n9\n")
    network = ranking(imagenet_names(), tmp_path / "network.safetensors", None)
    # `ranking` stops at the thirtieth class: rank all 1000, in smaller steps.
    loaded = load(network)
    with torch.no_grad():
        loaded.head["linear"].linear.bias.copy_(torch.arange(1000) * -0.05)
    save(loaded, tmp_path / "network.safetensors")
    return tmp_path


def test_a_made_up_ilsvrc_gives_the_errors_of_both_rules(ilsvrc, capsys):
    line = ["evaluate", str(ilsvrc / "network.safetensors"), "--data", f"ilsvrc:{ilsvrc / 'val'},{ilsvrc / 'kit'}"]
    everything = result_of(line, capsys)
    assert (everything["images"], everything["top1_error"], everything["top5_error"]) == (10, 70.0, 40.0)
    assert "10 of the 50,000" in everything["split_note"]
    assert everything["ilsvrc"] is True
    without = result_of([*line, "--skip-blacklisted", str(ilsvrc / "blacklist.txt"), "--crops", "12"], capsys)
    # Left: labels 0, 0, 1, 4, 4, 999.
    assert (without["images"], without["blacklisted"]) == (6, 4)
    assert (without["top1_error"], without["top5_error"]) == (pytest.approx(100 * 4 / 6), pytest.approx(100 / 6))
    (ilsvrc / "result.json").write_text(json.dumps(everything))
    assert status(["tables", str(ilsvrc / "result.json"), "--json"]) == 0
    assert not any(row["top5_error"] for row in json.loads(capsys.readouterr().out))  # 10 images are not the table's 50,000


def test_class_folders_of_synsets_give_the_same(ilsvrc, capsys):
    for number, label in enumerate(LABELS, 1):
        folder = ilsvrc / "folders" / synsets()[label]
        folder.mkdir(parents=True, exist_ok=True)
        name = f"ILSVRC2012_val_{number:08}.JPEG"
        shutil.copy(ilsvrc / "val" / name, folder / name)
    line = ["evaluate", str(ilsvrc / "network.safetensors"), "--data"]
    assert result_of([*line, f"ilsvrc:{ilsvrc / 'folders'}"], capsys)["top5_error"] == 40.0
    assert result_of([*line, str(ilsvrc / "folders"), "--split", "all"], capsys)["top5_error"] == 40.0


def test_what_is_wrong_with_an_ilsvrc_is_said(ilsvrc, capsys):
    line = ["evaluate", str(ilsvrc / "network.safetensors"), "--workers", "0", "--data"]
    data, kit = f"ilsvrc:{ilsvrc / 'val'},{ilsvrc / 'kit'}", ilsvrc / "kit" / "data"
    assert "KIT" in refused([*line, f"ilsvrc:{ilsvrc / 'val'}"], capsys)
    truth = kit / "ILSVRC2012_validation_ground_truth.txt"
    whole = truth.read_text()
    truth.write_text("\n".join(whole.split("\n")[:7]) + "\n")
    assert "8" in refused([*line, data], capsys)  # the first image without a label
    truth.write_text(whole)
    lines = [f"{synset} {number} name\n" for number, synset in enumerate(synsets(), 1)]
    (kit / "map_clsloc.txt").write_text("".join(lines))
    assert "alphabetical" in refused([*line, data], capsys)
    (kit / "map_clsloc.txt").unlink()
    (ilsvrc / "val" / "ILSVRC2012_val_00000003.JPEG").write_bytes(b"\xff\xd8 broken")
    assert "ILSVRC2012_val_00000003.JPEG" in refused([*line, data], capsys)
    found = result_of([*line[:2], "--skip-bad", "--data", data], capsys)
    assert (found["images"], len(found["skipped"])) == (9, 1)


@pytest.fixture
def pets(tmp_path):
    random = np.random.default_rng(0)
    for name, count in (("bird", 2), ("cat", 5), ("dog", 3)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 255, (12, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{name}{index}.png")
    return str(tmp_path / "pets")


def test_an_ensemble_of_other_class_orders(pets, tmp_path, capsys):
    a = ranking(("bird", "cat", "dog"), tmp_path / "a.safetensors", ("cat", "dog", "bird"))
    b = ranking(("dog", "cat", "bird"), tmp_path / "b.safetensors", ("dog", "bird", "cat"))
    line = ["evaluate", a, b, "--data", pets, "--split", "all", "--crops", "10"]
    found = result_of(line, capsys)
    assert [one["top1_error"] for one in found["members"]] == [50.0, 70.0]  # a says cat (5 of 10), b says dog (3 of 10)
    # softmax of 0, -2, -4 is 0.867, 0.117, 0.016: together cat has (0.867 + 0.016) / 2, dog (0.117 + 0.867) / 2, bird less
    assert found["top1_error"] == 70.0
    assert found["models"] == [a, b]
    other = ranking(("dog", "cat", "fish"), tmp_path / "c.safetensors")
    error = refused(["evaluate", a, other, "--data", pets, "--split", "all"], capsys)
    assert "only" in error
    assert "fish" in error
    assert "bird" in error


def test_saved_probabilities_and_subsets_from_the_command_line(pets, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for name, order in (("a", ("cat", "dog", "bird")), ("b", ("bird", "cat", "dog")), ("c", ("dog", "bird", "cat"))):
        network = ranking(("bird", "cat", "dog"), tmp_path / f"{name}.safetensors", order)
        result_of(["evaluate", network, "--data", pets, "--split", "all", "--save", f"p-{name}.safetensors"], capsys)
        names.append(f"p-{name}.safetensors")
    assert status(["ensemble", *names, "--data", pets, "--subsets", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["top1_error"] for one in found["members"]] == [50.0, 80.0, 70.0]
    assert len(found["subsets"]) == 7
    assert len(found["subsets"][-1]["models"]) == 3
    assert status(["ensemble", *names, "--subsets"]) == 0
    out = capsys.readouterr().out
    assert "all together" in out
    assert out.count("a.safetensors + ") == 3  # ab, ac, abc
    error = refused(["ensemble", *names, "--data", str(Path(pets).parent / "nowhere")], capsys)
    assert "nowhere" in error
    (Path(pets) / "cat" / "cat0.png").unlink()
    assert "others" in refused(["ensemble", *names, "--data", pets], capsys)
    assert "exists: remove it" in refused(["evaluate", "a.safetensors", "--data", pets, "--save", names[0]], capsys)


def test_a_report_shows_everything_and_runs_nothing(tmp_path, capsys):
    classes = ("<script>alert(1)</script>", "b|c", "金鱼")
    random = np.random.default_rng(0)
    for number, name in enumerate(classes):
        folder = tmp_path / "images" / name.replace("/", "_")
        folder.mkdir(parents=True)
        for index in range(4):
            pixels = random.integers(0, 255, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}{index}_<b>`*.png")
    names = tuple(sorted(folder.name for folder in (tmp_path / "images").iterdir()))
    network = ranking(names, tmp_path / "n.safetensors")
    report = tmp_path / "report"
    line = [
        "evaluate",
        network,
        network,
        "--data",
        str(tmp_path / "images"),
        "--split",
        "all",
        "--crops",
        "12",
        "--workers",
        "0",
    ]
    assert status([*line, "--report", str(report)]) == 0
    page, text = (report / "report.html").read_text("utf-8"), (report / "report.md").read_text("utf-8")
    for heading in ("Errors by class", "Confusions", "Calibration", "The worst mistakes", "Error against the number of crops"):
        assert heading in page
        assert heading in text
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;_script&gt;" in page
    assert "金鱼" in page
    assert "b\\|c" in text
    assert page.count("data:image/jpeg") == 8  # of 12 images, 8 are wrong
    assert page.count("data:image/png") == 2
    assert len(list((report / "mistakes").glob("*.jpg"))) == 8
    assert "1409.4842, Table 3" in text
    document = json.loads((report / "result.json").read_text("utf-8"))
    low, high = document["top1_interval"]
    assert low < document["top1_error"] < high
    assert not (report / "partial").exists()
    capsys.readouterr()
    assert "holds a report already" in refused([*line, "--report", str(report)], capsys)


def test_a_report_touches_no_files_of_others(pets, tmp_path, capsys):
    network = ranking(("bird", "cat", "dog"), tmp_path / "network.safetensors")
    line = ["evaluate", network, "--data", pets, "--workers", "0", "--report"]
    (tmp_path / "mine" / "partial").mkdir(parents=True)
    (tmp_path / "mine" / "report.md").write_text("mine")
    assert "not empty" in refused([*line, str(tmp_path / "mine")], capsys)
    assert "is a file" in refused([*line, network], capsys)
    assert "--report is empty" in refused([*line, ""], capsys)
    assert (tmp_path / "mine" / "report.md").read_text() == "mine"


def test_names_that_are_no_text_or_no_mathematics_do_not_cost_the_report(tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (9, 9), (80 * index, 0, 0)).save(tmp_path / "data" / name / f"{index}.png")
        (tmp_path / "data" / name / "0.png").rename(tmp_path / "data" / name / "bad\udcff.png")
    (tmp_path / "$\\foo$").mkdir()
    network = ranking(("a", "b"), tmp_path / "$\\foo$" / "_日本.safetensors")
    line = ["evaluate", network, "--data", str(tmp_path / "data"), "--split", "all", "--workers", "0", "--crops", "10"]
    assert status([*line, "--report", str(tmp_path / "r"), "--save", str(tmp_path / "p.safetensors"), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["images"] == 6
    assert captured.err.count("\n") == 1  # where the report is
    assert "bad" in (tmp_path / "r" / "report.html").read_text("utf-8")


def test_a_network_of_one_class_is_right(tmp_path, capsys):
    (tmp_path / "data" / "a").mkdir(parents=True)
    for index in range(3):
        Image.new("RGB", (9, 9), (80 * index, 0, 0)).save(tmp_path / "data" / "a" / f"{index}.png")
    network = ranking(("a",), tmp_path / "one.safetensors")
    assert result_of(["evaluate", network, "--data", str(tmp_path / "data"), "--split", "all"], capsys)["top1_error"] == 0


@pytest.mark.parametrize("change", ["classes", *(pytest.param(name, marks=pytest.mark.slow) for name in ("preprocess", "skip"))])
def test_resuming_with_another_network_of_the_same_weights_is_refused(pets, tmp_path, capsys, monkeypatch, change):
    from godeeper.workflows import evaluation

    def no_disk(*_):
        raise OSError(28, "No space left on device")

    network = ranking(("bird", "cat", "dog"), tmp_path / "network.safetensors")
    line = ["evaluate", network, "--data", pets, "--split", "all", "--workers", "0", "--report", str(tmp_path / "r")]
    line += ["--save", str(tmp_path / "p.safetensors")]
    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "write_report", no_disk)
        assert "No space" in refused(line, capsys)
    assert (tmp_path / "r" / "partial").is_dir()
    assert "--resume" in refused(line[:-2], capsys)
    loaded = load(network)
    if change == "classes":
        loaded.classes = ("cat", "bird", "dog")
    elif change == "preprocess":
        loaded.preprocess = Preprocess.of(16, mean=(0.1, 0.2, 0.3))
    save(loaded, network)
    if change == "skip":
        assert "skip_bad" in refused([*line, "--resume", "--skip-bad"], capsys)
        assert status([*line, "--resume"]) == 0
        assert (tmp_path / "r" / "result.json").is_file()
    else:
        assert "another evaluation" in refused([*line, "--resume"], capsys)


@pytest.mark.slow
def test_a_terminated_evaluation_resumes_to_the_same_report(tmp_path, weights_file):
    for name in ("cat", "dog", "金鱼"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for index in range(70):
            pixels = np.random.default_rng(index).integers(0, 255, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    line = [*GODEEPER, "evaluate", str(weights_file), "--data", str(tmp_path / "images"), "--split", "all"]
    line += ["--crops", "144", "--workers", "0", "--report"]
    with running(*line, tmp_path / "a", stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (tmp_path / "a" / "partial" / "evaluation.json").is_file():
            time.sleep(0.1)
        time.sleep(3)  # the first of 210 images are done
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert list((tmp_path / "a" / "partial").glob("*.safetensors"))
    again = subprocess.run([*line, str(tmp_path / "a")], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    subprocess.run([*line, str(tmp_path / "a"), "--resume"], check=True, capture_output=True)
    subprocess.run([*line, str(tmp_path / "b")], check=True, capture_output=True)
    assert (tmp_path / "a" / "report.html").read_bytes() == (tmp_path / "b" / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("evaluate --data digits", ["runs"]),
        ("evaluate NETWORK --data PETS --crops 12 --average mean", ["mean", "softmax"]),
        ("evaluate NETWORK --data PETS --save x.pt", ["x.pt", ".safetensors"]),
        ("evaluate NETWORK --data PETS --save no/where.safetensors", ["no folder 'no'"]),
        ("evaluate NETWORK --data PETS --resume", ["--report"]),
        ("evaluate NETWORK --data PETS --skip-blacklisted none.txt", ["none.txt"]),
        ("evaluate torchvision:resnet125 --data PETS", ["resnet125", "resnet152"]),
        ("evaluate timm:inception_v5 --data PETS", ["inception_v5"]),
        ("evaluate NETWORK --data ilsvrc:nowhere", ["nowhere"]),
        ("ensemble NETWORK", ["--save"]),
        ("ensemble none.safetensors", ["none.safetensors"]),
        ("ensemble NETWORK --report r", ["--data"]),
        ("tables NETWORK", ["godeeper evaluate --json"]),
        ("tables none.json", ["none.json"]),
    ],
)
def test_bad_input_gets_one_line(line, words, pets, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = ranking(("bird", "cat", "dog"), tmp_path / "network.safetensors")
    error = refused([word.replace("NETWORK", network).replace("PETS", pets) for word in line.split()], capsys)
    assert error.count("\n") == 1
    assert all(word in error for word in words), error


def test_the_papers_tables_are_printed(capsys):
    assert status(["tables"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 6 + 5 + 5 + 5 + 3
    assert "6.67" in lines[6]
