"""How fast the family runs here, against the peers' eager networks and the best engine fed with the peer's own graph.

    python benchmarks/inference.py [PHOTOGRAPHS] [--models googlenet_torchvision ...]

One run for all; medians; weights are random, which costs the same time. With a folder of photographs, also end to end from
JPEG files to labels, against the loop that people write.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

import torch

from godeeper import Predictor, create_model, save
from godeeper.data.walk import image_files
from godeeper.deploy.bench import CALIBRATION_IMAGES, crops_of, engines_for, images
from godeeper.deploy.engine_choice import measure
from godeeper.deploy.engines import PRECISIONS, from_onnx
from godeeper.deploy.export import export
from godeeper.deploy.quantise import quantised
from godeeper.models.peers import peer_of

MODELS = ("googlenet_torchvision", "inception_v4", "inception_resnet_v2")


def peers_own(peer, network):
    """The engines, fed with what torch.onnx makes of the peer's network: {(engine, precision): engine}."""
    import io

    import onnx

    buffer, example = io.BytesIO(), images(network, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter, which needs no further package, says that it is old
        axes = {"x": {0: "N"}, "logits": {0: "N"}}
        torch.onnx.export(
            peer, (example,), buffer, dynamo=False, input_names=["x"], output_names=["logits"], dynamic_axes=axes
        )  # fmt: skip
    data = buffer.getvalue()
    crops = list(crops_of(network, CALIBRATION_IMAGES).split(1))
    eight = quantised(onnx.load_from_string(data), crops, network.preprocess).SerializeToString()
    return {
        (f"{name} of the peer's graph", precision): from_onnx(eight if precision == "int8" else data, name, precision)
        for name in ("openvino", "onnxruntime")
        for precision in PRECISIONS[name]
    }


def family(models, batches):
    for name in models:
        torch.manual_seed(0)
        network = create_model(name).eval()
        peer = peer_of(network)
        engines = engines_for(network, dict([peer]))
        engines |= peers_own(peer[1], network)
        for batch in batches:
            times = measure(engines, images(network, batch), turns=7, seconds=3.5, fewest=14)
            ms = {key: 1000 * median(seconds) for key, seconds in times.items()}
            eager = ms[peer[0], "fp32"]
            for precision in ("fp32", "bf16", "int8"):
                ours = min((t, key[0]) for key, t in ms.items() if key[1] == precision and key[0] in PRECISIONS)
                other = min((t, key[0]) for key, t in ms.items() if key[1] == precision and "peer's" in key[0])
                print(
                    f"{name} batch {batch} {precision}: {ours[0]:.1f} ms ({ours[1]}); {eager / ours[0]:.2f}x {peer[0]} eager"
                    f" ({eager:.1f} ms); {other[0] / ours[0]:.2f}x {other[1]} ({other[0]:.1f} ms)",
                    flush=True,
                )


def obvious(peer, network, files, batch=8):
    """JPEG files to labels as timm's inference script goes about it: a loader with workers, the network in fp32."""
    from PIL import Image
    from torchvision import transforms

    prepare, transform = network.preprocess, transforms
    steps = transform.Compose([
        transform.Resize(prepare.resize.shorter_side), transform.CenterCrop(prepare.image_size), transform.ToTensor(),
        transform.Normalize(prepare.normalize.mean, prepare.normalize.std),
    ])  # fmt: skip

    class Files(torch.utils.data.Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, index):
            return steps(Image.open(files[index]).convert("RGB"))

    loader = torch.utils.data.DataLoader(Files(), batch_size=batch, num_workers=2)
    with torch.inference_mode():
        return [peer(x).softmax(1).topk(5) for x in loader]


def end_to_end(name, folder, rounds):
    files = image_files(folder)
    network = create_model(name).eval()
    network.classes = tuple(map(str, range(1000)))
    peer = peer_of(network)[1]
    with tempfile.TemporaryDirectory() as out:
        save(network, Path(out) / "model.safetensors")
        eight = Path(out) / "eight.onnx"
        export(network, eight, precision="int8", images=folder, max_drop=100)
        ways = {
            "fp32": Predictor(network),
            "bf16": Predictor(network, "openvino", "bf16"),
            "int8": Predictor(eight, "openvino"),
        }
    seconds = {way: [] for way in ("obvious", *ways)}
    for number in range(rounds + 1):
        for way, spent in seconds.items():
            start = time.perf_counter()
            obvious(peer, network, files) if way == "obvious" else ways[way](files)
            if number:
                spent.append(time.perf_counter() - start)
            elif way != "obvious":
                ways[way].seconds = dict.fromkeys(ways[way].seconds, 0.0)
    slow = median(seconds["obvious"])
    print(f"{name}: {len(files)} photographs by the obvious script {slow:.2f} s")
    for way, predictor in ways.items():
        split = ", ".join(f"{what} {took / rounds:.2f} s" for what, took in predictor.seconds.items())
        took = median(seconds[way])
        print(f"{name}: {way} {took:.2f} s ({predictor.engine.name}), {slow / took:.2f}x; in its threads: {split}", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photographs", nargs="?", type=Path)
    options.add_argument("--models", nargs="+", default=MODELS)
    options.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    family(given.models, given.batches)
    if given.photographs:
        for model in given.models:
            end_to_end(model, given.photographs, given.rounds)
