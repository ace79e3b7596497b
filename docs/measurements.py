"""Measures what figures and interactive pieces show and no table gives: `python docs/measurements.py WHAT [ARGUMENT]`.

`votes NETWORK` has a network (a run folder, or a name such as `godeeper/digits`) name the 144 crops of the photograph;
`proposals` runs selective search on the photograph; `memory FOLDER` reads train.csv and serve.csv of benchmarks/long_run.py.
Each writes `docs/figures/measured/WHAT.json`, which is committed.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from figures.photograph import photograph

from godeeper import GodeeperError, load
from godeeper.explain.centre_crop import boxes_of
from godeeper.explain.crop_predictions import crop_probabilities, most_likely
from godeeper.files import atomic_write
from godeeper.labels import display_names
from godeeper.models.weights.shipped import shipped

FOLDER = Path(__file__).resolve().parent / "figures" / "measured"
POINTS = 240  # of a recording, at most
BOXES = 40  # of all proposals, evenly taken: more would hide the photograph


def votes(name: str) -> dict[str, Any]:
    """The 144 crops of the photograph, the class that the network names in each, and its mean probabilities."""
    network, image = load(name), photograph()
    if network.classes is None:
        raise GodeeperError(f"the classes of {name} have no names")
    boxes = boxes_of(network, image.size, 144)
    probabilities = crop_probabilities(network, image, 144)
    crops = [
        [*crop.crop_box.resized, *crop.crop_box.box, int(crop.crop_box.flip), crop.label, round(crop.probability, 3)]
        for crop in most_likely(boxes, probabilities)
    ]
    return {
        **record_of(name),
        "table": network.definition.title,
        "classes": {lang: list(display_names(network.classes, lang)) for lang in ("en", "zh")},
        "photograph": image.size,
        "size": network.preprocess.image_size,
        "crops": crops,
        "mean": [round(value, 4) for value in probabilities.mean(0).tolist()],
    }


def record_of(name: str) -> dict[str, Any]:
    """What made a network, and its error: from its own record, or from a run's."""
    if name in shipped():
        record = shipped()[name]
        return {"network": name, "data": record.data, "top1_error": record.top1_error}
    run = json.loads((Path(name) / "recipe.json").read_text(encoding="utf-8"))
    last = json.loads((Path(name) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    what = f"{run['options']['model']}, recipe {run['options']['recipe']}, {last['epoch']} epochs"
    data = [part for part in Path(run["options"]["data"]).parts if part not in (".data", "train")][-1]
    return {"network": what, "data": data, "top1_error": last["top1_error"]}


def proposals() -> dict[str, Any]:
    """Selective search on the photograph: how many boxes by either size of superpixels, and some of those of the larger."""
    from godeeper.detect.selective_search import LARGER_SUPERPIXELS, selective_search

    first, larger = (selective_search(photograph(), superpixels) for superpixels in (1.0, LARGER_SUPERPIXELS))
    some = larger[:: -(-len(larger) // BOXES)]
    return {"rcnn": len(first), "larger": len(larger), "boxes": [[round(float(edge)) for edge in box] for box in some]}


def memory(folder: str) -> dict[str, Any]:
    """Minutes and resident MB of an hour of training and of serving, as at most so many points: medians of as many samples."""
    measured = {}
    for name in ("train", "serve"):
        with (Path(folder) / f"{name}.csv").open(newline="") as file:
            rows = [(float(row["seconds"]) / 60, float(row["mb"])) for row in csv.DictReader(file)]
        each = -(-len(rows) // POINTS)
        groups = [list(zip(*rows[at : at + each], strict=True)) for at in range(0, len(rows), each)]
        minutes, mb = ([round(median(group[axis]), 2) for group in groups] for axis in (0, 1))
        measured[name] = {"minutes": minutes, "mb": mb}
    return measured


def main(what: str, *arguments: str) -> None:
    """Measures and writes."""
    measured = {"votes": votes, "proposals": proposals, "memory": memory}[what](*arguments)
    FOLDER.mkdir(exist_ok=True)
    with atomic_write(FOLDER / f"{what}.json") as partial:
        partial.write_text(json.dumps(measured, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("votes", "proposals", "memory"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
