"""A folder of 100,000 images: opening it, the first step of a training and a table of predictions take a kilobyte a file."""

import os
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from godeeper import Recipe, create_model, open_data
from godeeper.data.description import describe_data
from godeeper.data.duplicates import count_identical
from godeeper.deploy.table_parts import Columns, join_csv, write_table
from godeeper.train import train
from godeeper.workflows.image_files import files_of

FILES, CLASSES = 100_000, 10
LARGEST = 1000 * FILES  # bytes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes of 10,000 names of one image each."""
    root = tmp_path_factory.mktemp("many")
    for label in range(CLASSES):
        (root / f"{label}").mkdir()
        first = root / f"{label}" / "00000.png"
        Image.new("RGB", (8, 8), (25 * label, 0, 0)).save(first)
        for number in range(1, FILES // CLASSES):
            os.link(first, root / f"{label}" / f"{number:05}.png")
    return root


@pytest.fixture
def peak() -> Iterator[Any]:
    """What Python allocates at most from here on, in bytes, when it is called."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_training_begins(many, tmp_path, peak):
    splits = open_data(many)
    assert Counter(splits.train.labels) == dict.fromkeys(range(CLASSES), 8000)
    assert len(splits.test) == 20_000
    assert describe_data(splits.test)["images"] == 20_000
    assert "not looked into" in count_identical(splits.train, splits.test)
    network = create_model("googlenet_bn", num_classes=CLASSES, width=0.125, small=True)
    recipe = Recipe(epochs=1, batch_size=4, image_size=16, auxiliary_weight=0, warmup_epochs=0)

    def stop(label: str, done: int, steps: int) -> None:
        assert (done, steps) == (1, 20_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network, splits.train, recipe, tmp_path / "run", trackers=(), on_step=stop)
    assert peak() < LARGEST


def test_a_table_is_written_and_goes_on(many, tmp_path, peak):
    files = files_of([str(many)])
    assert len(files) == FILES
    asked = []

    def rows(part):
        asked.append(len(part))
        if len(asked) == 150:
            raise KeyboardInterrupt
        yield from ({"image": str(file), "label": file.parent.name} for file in part)

    join = partial(join_csv, columns=Columns(("image", "label"), lambda row: row, lambda arrow: ()))
    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path / "table.csv", files, rows, {}, join)
    write_table(tmp_path / "table.csv", files, rows, {}, join)
    assert sum(asked) == FILES + 500  # the part that was interrupted
    with (tmp_path / "table.csv").open() as table:
        assert sum(1 for _ in table) == FILES + 1
    assert not (tmp_path / "table.csv.parts").exists()
    assert peak() < LARGEST
