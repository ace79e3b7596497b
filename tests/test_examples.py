import os
import subprocess
import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_image

from godeeper import load

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *arguments, offline=None):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    if offline is not None:  # a folder to keep empty caches in
        environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(offline), "TORCH_HOME": str(offline)}
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)


def test_train_then_infer(tmp_path):
    weights = tmp_path / "example.safetensors"
    trained = run("train_googlenet.py", 1, weights)
    assert trained.returncode == 0, trained.stderr
    assert "epoch 1/1: loss" in trained.stdout
    assert load(weights).classes == tuple("0123456789")
    saved = run("save_digits.py", tmp_path / "images")
    assert saved.returncode == 0, saved.stderr
    images = sorted((tmp_path / "images").glob("*.png"))
    assert len(images) == 10
    inferred = run("googlenet_inference.py", weights, *images)
    assert inferred.returncode == 0, inferred.stderr
    assert inferred.stdout.count("%") == 50


def test_train_the_residual_network_then_name_photographs(tmp_path):
    weights = tmp_path / "resnet.safetensors"
    trained = run("train_inception_resnet.py", 1, weights)
    assert trained.returncode == 0, trained.stderr
    assert "epoch 1/1: loss" in trained.stdout
    photos = [tmp_path / "china.jpg", tmp_path / "flower.jpg"]
    for photo in photos:
        Image.fromarray(load_sample_image(photo.name)).save(photo)
    named = run("inception_v4_inference.py", photos[0], weights)
    assert named.returncode == 0, named.stderr
    assert named.stdout.count("%") == 5
    compared = run("inception_resnet_v2_inference.py", "--weights", weights, *photos)
    assert compared.returncode == 0, compared.stderr
    assert compared.stdout.count("%") == 10
    first, second = ([float(cosine) for cosine in line.split()] for line in compared.stdout.splitlines()[-2:])
    assert (first[0], second[1]) == (1.0, 1.0)
    assert first[1] == second[0] < 1


def test_offline_the_examples_say_what_to_fetch(tmp_path):
    photo = tmp_path / "flower.jpg"
    Image.fromarray(load_sample_image("flower.jpg")).save(photo)
    for name, weights in {"inception_v4": "inception_v4.tf_in1k", "inception_resnet_v2": "inception_resnet_v2.tf_in1k"}.items():
        failed = run(f"{name}_inference.py", photo, offline=tmp_path)
        assert failed.returncode == 1
        assert f"download https://huggingface.co/timm/{weights}/resolve/main/model.safetensors and put it at" in failed.stderr
        assert "Traceback" not in failed.stderr
