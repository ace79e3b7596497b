"""How far each engine and precision is from the network itself, eager in fp32, on images that calibrated nothing.

    python benchmarks/precisions.py RUN_OR_WEIGHTS IMAGES

Eight bits are calibrated on every second image of the folder; all are compared on the others.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from godeeper import Predictor, load
from godeeper.data.decode import decode
from godeeper.data.pixels import normalise, take_crops
from godeeper.data.walk import image_files
from godeeper.deploy.checked_export import MOST_IMAGES
from godeeper.deploy.engines import PRECISIONS
from godeeper.deploy.export import export


def probabilities(predictor, files):
    """Of every class, in the network's order: (files, classes)."""
    rows = []
    for found in predictor.stream(files, top=len(predictor.classes)):
        by_label = dict(zip(found.labels, found.probabilities, strict=True))
        rows.append([by_label[label] for label in predictor.classes])
    return torch.tensor(rows)


@torch.inference_mode()
def eager(network, files):
    """The network as it is trained and evaluated, an image at a time."""
    prepared = (normalise(take_crops(decode(file), network.preprocess), network.preprocess) for file in files)
    return torch.cat([network(x).softmax(1) for x in prepared])


def main(model, folder):
    files = image_files(folder)
    files = files[:: max(1, len(files) // MOST_IMAGES)][:MOST_IMAGES]
    held_out = files[1::2]
    expected = eager(load(model).eval(), held_out)
    with tempfile.TemporaryDirectory() as out:
        eight = Path(out) / "eight.onnx"
        chosen = Path(out) / "images"
        chosen.mkdir()
        for number, file in enumerate(files):
            (chosen / f"{number:05}{file.suffix}").symlink_to(file.resolve())
        export(model, eight, precision="int8", images=chosen, max_drop=100)
        for engine, precisions in PRECISIONS.items():
            for precision in precisions:
                predictor = Predictor(eight if precision == "int8" else model, engine, precision)
                found = probabilities(predictor, held_out)
                same = int((found.argmax(1) == expected.argmax(1)).sum())
                shift = (found - expected).abs()
                of_top1 = shift.gather(1, expected.argmax(1, keepdim=True)).mean()
                print(
                    f"{engine} {precision}: top-1 equal on {same} of {len(held_out)}; probabilities differ by"
                    f" {shift.max():.1e} at most, that of top-1 by {of_top1:.1e} in the mean",
                    flush=True,
                )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", type=Path)
    options.add_argument("images", type=Path)
    given = options.parse_args()
    main(given.model, given.images)
