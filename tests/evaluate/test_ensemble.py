"""Class orders, saved probabilities, recombination and subsets, against averages made by hand."""

from itertools import combinations

import numpy as np
import pytest
import torch
from PIL import Image

import flips
from godeeper import BadCheckpoint, GodeeperError, workflows
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.evaluate import Member, evaluate, evaluate_members
from godeeper.evaluate.ensemble import (
    check_images,
    class_order,
    combine,
    images_digest,
    read_probabilities,
    save_probabilities,
    subsets,
)
from godeeper.preprocess import Preprocess
from godeeper.tensor_files import load_tensors, save_tensors

PLAIN = Preprocess.of(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), crop_fraction=1.0)
CLASSES = ("cat", "dog", "fish")
LABELS = [index % 3 for index in range(30)]
ABOUT = {"models": ["a"], "architectures": ["x"]}


def test_orders_are_found_by_name():
    assert class_order("a", CLASSES, 3, CLASSES, "data") is None
    assert class_order("a", ("fish", "cat", "dog"), 3, CLASSES, "data") == (1, 2, 0)
    assert class_order("a", None, 3, CLASSES, "data") is None


@pytest.mark.parametrize(
    ("own", "count", "words"),
    [
        (("cat", "dog", "bird"), 3, ["only 'a' knows bird", "only data knows fish"]),
        (("cat", "dog"), 2, ["only data knows fish"]),
        (("cat", "dog", "fish", "bird"), 4, ["only 'a' knows bird"]),
        (("cat", "cat", "dog", "fish"), 4, ["twice"]),
        (None, 5, ["5 classes without names", "data has 3"]),
        (tuple(f"n{index}" for index in range(40)), 40, ["n0, n1, n2, n3, n4 and 35 more"]),
    ],
)
def test_other_classes_are_refused_with_the_difference(own, count, words):
    with pytest.raises(GodeeperError) as caught:
        class_order("a", own, count, CLASSES, "data")
    assert all(word in str(caught.value) for word in words), str(caught.value)


def random_images():
    return ArrayDataset(np.random.default_rng(0).integers(0, 255, (30, 8, 8), dtype=np.uint8), LABELS, "noise")


def random_network(seed, classes=3):
    weight = torch.randn(192, classes, generator=torch.Generator().manual_seed(seed))
    return lambda x: x.flatten(1) @ weight


def saved(tmp_path, seed, *, classes=CLASSES, images=None, crops=1, **options):
    images = images or random_images()
    order = [classes.index(name) for name in CLASSES]
    labels = [classes.index(CLASSES[label]) for label in LABELS]
    network = random_network(seed)
    inverse = [order.index(place) for place in range(3)]
    found = evaluate(
        lambda x: network(x)[:, inverse],
        ArrayDataset(images.arrays, labels, "noise"),
        PLAIN,
        crops=crops,
        keep=True,
        **options,
    )
    file = tmp_path / f"{seed}-{'-'.join(classes)}-{crops}.safetensors"
    save_probabilities(file, found, classes, ArrayDataset(images.arrays, labels, "noise"), ABOUT)
    return file


def test_saved_probabilities_recombine_to_what_one_pass_gives(tmp_path):
    members = [Member(str(seed), random_network(seed), PLAIN) for seed in range(3)]
    together = evaluate_members(members, random_images(), crops=12, keep=True)
    files = [saved(tmp_path, seed, crops=12) for seed in range(3)]
    again = combine([read_probabilities(file) for file in files])
    assert torch.equal(again.probabilities, together.probabilities)
    for column in range(4):
        assert torch.equal(again.outcomes(column).decisions, together.outcomes(column).decisions)
    assert again.crops == 12
    assert len({again.outcomes(column).top1_errors for column in range(4)}) > 1


def test_other_class_orders_are_turned(tmp_path):
    plain = combine([read_probabilities(saved(tmp_path, seed)) for seed in (0, 1)])
    turned = saved(tmp_path, 1, classes=("fish", "cat", "dog"))
    mixed = combine([read_probabilities(saved(tmp_path, 0)), read_probabilities(turned)])
    assert torch.allclose(mixed.probabilities, plain.probabilities, atol=1e-6)  # softmax adds up in another order
    assert torch.equal(mixed.decisions, plain.decisions)


def test_what_does_not_fit_together_is_said(tmp_path):
    first = read_probabilities(saved(tmp_path, 0))
    with pytest.raises(GodeeperError, match="crops 1 and 10"):
        combine([first, read_probabilities(saved(tmp_path, 1, crops=10))])
    file = tmp_path / "others.safetensors"
    others = ArrayDataset(random_images().arrays[:20], LABELS[:20], "other")
    save_probabilities(file, evaluate(random_network(1), others, PLAIN, keep=True), CLASSES, others, ABOUT)
    with pytest.raises(GodeeperError, match="different images: 30 and 20"):
        combine([first, read_probabilities(file)])
    with pytest.raises(GodeeperError, match="not of the 20 images of 'data'"):
        check_images(first, others, CLASSES, "data")
    check_images(first, random_images(), CLASSES, "data")
    birds = tmp_path / "birds.safetensors"
    named = ("cat", "dog", "bird")
    save_probabilities(birds, evaluate(random_network(1), random_images(), PLAIN, keep=True), named, random_images(), ABOUT)
    with pytest.raises(GodeeperError, match=r"different"):
        combine([first, read_probabilities(birds)])


def test_images_that_only_one_could_decode_are_said(tmp_path):
    files = []
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (8, 8), (len(files) * 90, 0, 0)).save(tmp_path / name)
        files.append(tmp_path / name)
    images, results = FileDataset(files, [0, 1, 2]), []
    for number in range(2):
        found = evaluate(random_network(number), images, PLAIN, keep=True, skip_bad=True)
        save_probabilities(tmp_path / f"{number}.safetensors", found, CLASSES, images, ABOUT)
        results.append(read_probabilities(tmp_path / f"{number}.safetensors"))
        files[1].write_bytes(b"x" * files[1].stat().st_size)  # damaged; another size would be another image
    assert len(results[1].skipped) == 1
    with pytest.raises(GodeeperError, match="1 are in one only, such as number 1"):
        combine(results)


def test_a_file_of_something_else_is_refused(tmp_path, weights_file):
    with pytest.raises(BadCheckpoint, match="not saved by `godeeper evaluate --save`"):
        read_probabilities(weights_file)
    (tmp_path / "text.safetensors").write_text("no")
    with pytest.raises(BadCheckpoint, match="text"):
        read_probabilities(tmp_path / "text.safetensors")
    with pytest.raises(BadCheckpoint, match="there is no file"):
        read_probabilities(tmp_path / "none.safetensors")


def test_no_flipped_bit_loads_as_other_probabilities(tmp_path):
    file = saved(tmp_path, 0)

    def read():
        kept = read_probabilities(file)
        numbers = (kept.index, kept.labels, kept.probabilities)
        return [tensor.numpy().tobytes() for tensor in numbers], kept.members, kept.classes, kept.images, kept.skipped, kept.about

    seen = flips.outcomes(read, [file], 100)
    assert seen["refused"] > 90  # the others are in the key of the checksum
    assert seen["refused"] + seen["same"] == 100


@pytest.mark.parametrize("about", [{}, {"split": 5}, {"blacklisted": "none"}])
def test_probabilities_that_do_not_say_of_what_are_refused(about, tmp_path):
    file = saved(tmp_path, 0)
    tensors, metadata = load_tensors(file)
    said = {"data": "noise", "split": "test", "split_note": "", "versions": "", "ilsvrc": False, "blacklisted": 0}
    save_tensors(file, tensors, metadata | {"about": ABOUT | said | {"members": 5}})  # and what we do not ask for
    assert workflows.recombine([file]).as_dict()["members"] != 5
    save_tensors(file, tensors, metadata | {"about": ABOUT | (said | about if about else {})})
    with pytest.raises(BadCheckpoint, match=r"does not say what its .* is: evaluate again with --save"):
        workflows.recombine([file])


def test_every_subset_is_the_average_of_its_members(tmp_path):
    found = combine([read_probabilities(saved(tmp_path, seed)) for seed in range(4)])
    every = {one.members: one.outcomes for one in subsets(found)}
    assert list(every) == [one for size in (1, 2, 3, 4) for one in combinations(range(4), size)]
    for members, outcomes in every.items():
        mean = found.probabilities[:, list(members)].mean(1)
        assert outcomes.top1_errors == int((mean.argmax(1) != found.labels).sum())
    assert len({outcomes.top1_errors for outcomes in every.values()}) > 3


def test_more_than_seven_models_have_too_many_subsets(tmp_path):
    eight = combine([read_probabilities(saved(tmp_path, seed)) for seed in range(8)])
    with pytest.raises(GodeeperError, match="8 models have 255 subsets"):
        list(subsets(eight))


def test_the_digest_of_images_knows_names_and_classes_not_their_order():
    images = random_images()
    turned = ArrayDataset(images.arrays, [(label + 1) % 3 for label in LABELS], "noise")
    assert images_digest(images, CLASSES) == images_digest(turned, ("fish", "cat", "dog"))
    assert images_digest(images, CLASSES) != images_digest(turned, CLASSES)


@pytest.mark.parametrize(
    ("tensors", "words", "what"),
    [
        ({"labels": lambda t: t + 50}, {}, "labels"),
        ({"labels": lambda t: t[:4]}, {}, "images|labels"),
        ({"labels": lambda t: t.float()}, {}, "labels"),
        ({"index": lambda t: t[0]}, {}, "images"),
        ({"index": lambda t: t - 1}, {}, "images"),
        ({"index": lambda t: t // 2}, {}, "images"),
        ({"probabilities": lambda t: t * 7}, {}, "probabilities"),
        ({"probabilities": lambda t: t / 2}, {}, "probabilities"),
        ({"probabilities": lambda t: t[:, :0]}, {"members": [], "about": {"models": [], "architectures": []}}, "names"),
        ({"probabilities": lambda t: t[:, :, :2]}, {}, "probabilities"),
        ({}, {"about": {}}, "description"),
        ({}, {"about": []}, "description"),
        ({}, {"about": {"models": [5], "architectures": ["x"]}}, "description"),
        ({}, {"crops": "x"}, "crops"),
        ({}, {"crops": True}, "crops"),
        ({}, {"average": 5}, "average"),
        ({}, {"classes": [1, 2, 3]}, "names"),
        ({}, {"skipped": 5}, "names"),
        ({}, {"skipped": [None]}, "names"),
    ],
)
def test_a_damaged_saved_file_says_what_is_wrong(tmp_path, tensors, words, what):
    file = saved(tmp_path, 0)
    old, told = load_tensors(file)
    save_tensors(file, {name: tensors.get(name, lambda t: t)(tensor) for name, tensor in old.items()}, told | words)
    with pytest.raises(BadCheckpoint, match=rf"is damaged: its .*{what}"):
        read_probabilities(file)


def test_classes_that_are_no_list_are_refused(tmp_path):
    file = saved(tmp_path, 0)
    tensors, told = load_tensors(file)
    save_tensors(file, tensors, told | {"classes": "abc"})
    with pytest.raises(BadCheckpoint, match=r"is damaged|was not saved by"):
        read_probabilities(file)


def test_other_labels_of_the_same_images_are_refused(tmp_path):
    first, second = saved(tmp_path, 0), saved(tmp_path, 1)
    old, told = load_tensors(second)
    save_tensors(second, old | {"labels": (old["labels"] + 1) % 3}, told)
    with pytest.raises(GodeeperError, match="different labels"):
        combine([read_probabilities(first), read_probabilities(second)])
