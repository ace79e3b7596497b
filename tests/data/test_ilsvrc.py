import builtins
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from godeeper import BadImage, GodeeperError, open_data
from godeeper.data import ilsvrc
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.data.ilsvrc import open_ilsvrc, without_blacklisted
from godeeper.data.ilsvrc_kit import kit_order, synsets
from godeeper.labels import imagenet
from godeeper.packages import install_command

SYNSETS = synsets()

KIT_FOX, SETTER, HUSKY, TENCH, DUMBBELL = "n02119789", "n02100735", "n02110185", "n01440764", "n03255030"
INFO = Path(find_spec("timm").origin).parent / "data" / "_info"  # without importing it, which takes seconds
TIMMS = (INFO / "imagenet_synsets.txt").read_text().split()
# Of the list of ImageNet's 1000 names that everybody has: 278 is the kit fox, 212 the English setter, and so on.
LABELS = {KIT_FOX: 278, SETTER: 212, HUSKY: 250, TENCH: 0, DUMBBELL: 543}
# The same by the kit: map_clsloc.txt says "n01440764 449 tench" and "n03255030 1000 dumbbell".
IDS = {KIT_FOX: 1, SETTER: 2, HUSKY: 3, TENCH: 449, DUMBBELL: 1000}
TRUTH = [IDS[name] for name in (TENCH, KIT_FOX, DUMBBELL, SETTER, KIT_FOX)]
TRUTH_FILE = "ILSVRC2012_validation_ground_truth.txt"


def released(number):
    return f"ILSVRC2012_val_{number:08}.JPEG"


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (200, 0, 0)).save(path, "JPEG")


def flat(folder, numbers=(1, 2, 3, 4, 5)):
    for number in numbers:
        image(folder / released(number))
    return folder


def class_folders(folder, **numbers):
    for name, several in numbers.items():
        for number in several:
            image(folder / name / released(number))
    return folder


def kit(folder, labels=TRUTH, name=TRUTH_FILE):
    (folder / "data").mkdir(parents=True)
    (folder / "data" / name).write_text("".join(f"{label}\n" for label in labels))
    return folder


def write_map(folder, order, start=1):
    lines = [f"{synset} {number} some_name\n" for number, synset in enumerate(order, start)]
    (folder / "data" / "map_clsloc.txt").write_text("".join(lines))


def write_meta(folder, order, **fields):
    """Like the kit's: its leaves, and two synsets that group them, counted from 1001."""
    types = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O"), ("children", "O")]
    rows = [(float(number), synset, "kit fox, Vulpes", "a fox", 0.0, np.zeros((1, 0))) for number, synset in enumerate(order, 1)]
    rows += [(1001.0, "n00001740", "entity", "all", 2.0, np.array([[1.0, 2.0]])), (1002.0, "n00001930", "x", "y", 1.0, 3.0)]
    savemat(folder / "data" / "meta.mat", fields or {"synsets": np.array(rows, dtype=types).reshape(-1, 1)})


def swapped():
    order = list(kit_order())
    order[1], order[2] = order[2], order[1]
    return order


def opened(images, kit_place=None, known=None):
    return open_ilsvrc(f"ilsvrc:{images}" + (f",{kit_place}" if kit_place else ""), known)


def names(images):
    return [Path(images.name(index)).name for index in range(len(images))]


def message(call, *arguments):
    with pytest.raises(GodeeperError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_table_holds_the_thousand_synsets_in_the_kits_order():
    order = kit_order()
    assert sorted(order) == sorted(TIMMS)
    assert len(set(order)) == 1000
    assert order[:3] == (KIT_FOX, SETTER, HUSKY)
    assert {synset: order.index(synset) + 1 for synset in IDS} == IDS
    assert sorted(known.kit_id for known in imagenet()) == list(range(1, 1001))


def test_the_order_gives_the_known_labels_of_the_first_images():
    # The kit's ground truth begins so; next to it, what the first five images show.
    first = [(490, "sea snake"), (361, "alp"), (171, "Shetland sheepdog"), (822, "soup bowl"), (297, "cradle")]
    lemma = dict(line.split("\t", 1) for line in (INFO / "imagenet_synset_to_lemma.txt").read_text().splitlines())
    assert [lemma[kit_order()[number - 1]].partition(",")[0] for number, _ in first] == [name for _, name in first]


def test_labels_count_the_synsets_as_every_network_does():
    assert list(SYNSETS) == TIMMS
    assert len(set(SYNSETS)) == 1000
    assert {synset: SYNSETS.index(synset) for synset in LABELS} == LABELS


def test_a_flat_folder_with_its_kit(tmp_path):
    source = opened(flat(tmp_path / "val"), kit(tmp_path / "kit"))
    assert source.classes == SYNSETS
    assert names(source.test) == [released(number) for number in (1, 2, 3, 4, 5)]
    assert list(source.test.labels) == [0, 278, 543, 212, 278]
    assert len(source.train) == 0
    assert source.split_note == "ILSVRC 2012, 5 of the 50,000 validation images: figures are not the papers'"
    assert source.test.image(4).size == (4, 4)


def test_the_door_to_all_sources_opens_it(tmp_path):
    source = open_data(f"ilsvrc:{flat(tmp_path / 'val')},{kit(tmp_path / 'kit')}")
    assert list(source.subset("test").labels) == [0, 278, 543, 212, 278]


def test_images_are_those_of_their_numbers_where_some_are_missing(tmp_path):
    source = opened(flat(tmp_path / "val", (5, 3)), kit(tmp_path / "kit"))
    assert names(source.test) == [released(3), released(5)]
    assert list(source.test.labels) == [543, 278]


@pytest.mark.parametrize("place", [".", "kit", f"kit/data/{TRUTH_FILE}"])
def test_a_kit_is_a_folder_above_its_ground_truth_or_that_file(tmp_path, place):
    flat(tmp_path / "val")
    kit(tmp_path / "kit")
    assert list(opened(tmp_path / "val", tmp_path / place).test.labels) == [0, 278, 543, 212, 278]


def test_the_ground_truth_of_the_kit_of_2014(tmp_path):
    place = kit(tmp_path / "kit", name="ILSVRC2014_clsloc_validation_ground_truth.txt")
    assert list(opened(flat(tmp_path / "val"), place).test.labels) == [0, 278, 543, 212, 278]


def test_a_ground_truth_of_synsets(tmp_path):
    place = kit(tmp_path / "kit", [DUMBBELL, "  n02119789\r", TENCH])
    assert list(opened(flat(tmp_path / "val", (1, 2, 3)), place).test.labels) == [543, 278, 0]


@pytest.mark.parametrize("write", [write_map, write_meta])
def test_a_kits_own_order_is_held_against_ours(tmp_path, write):
    place = kit(tmp_path / "kit")
    write(place, kit_order())
    assert list(opened(flat(tmp_path / "val"), place).test.labels) == [0, 278, 543, 212, 278]


def test_class_folders_need_no_kit(tmp_path):
    source = opened(class_folders(tmp_path, n01440764=[1], n02119789=[5, 2], n03255030=[3], n02100735=[4]))
    assert names(source.test) == [released(number) for number in (1, 2, 3, 4, 5)]
    assert list(source.test.labels) == [0, 278, 543, 212, 278]
    assert source.test.files[1] == tmp_path / KIT_FOX / released(2)
    assert source.classes == SYNSETS


def test_class_folders_agree_with_their_kit(tmp_path):
    folder = class_folders(tmp_path / "val", n01440764=[1], n02119789=[5, 2])
    assert list(opened(folder, kit(tmp_path / "kit")).test.labels) == [0, 278, 278]


def test_a_network_that_counts_otherwise_keeps_its_order(tmp_path):
    source = opened(flat(tmp_path / "val"), kit(tmp_path / "kit"), kit_order())
    assert source.classes == kit_order()
    assert list(source.test.labels) == [448, 0, 999, 1, 0]


def test_all_fifty_thousand_are_the_papers(tmp_path, monkeypatch):
    assert (ilsvrc.VALIDATION_IMAGES, ilsvrc.BLACKLISTED) == (50_000, 1_762)
    monkeypatch.setattr(ilsvrc, "VALIDATION_IMAGES", 5)
    assert opened(flat(tmp_path / "val"), kit(tmp_path / "kit")).split_note == "ILSVRC 2012, validation"


def test_hidden_files_and_commas_in_a_folders_name(tmp_path):
    folder = class_folders(tmp_path / "val, unpacked", n01440764=[1])
    (folder / ".DS_Store").write_text("")
    (folder / TENCH / ".hidden.JPEG").write_text("")
    (folder / "@eaDir").mkdir()
    (folder / TENCH / "@eaDir").mkdir()
    assert list(opened(folder).test.labels) == [0]
    assert list(opened(folder, kit(tmp_path / "kit")).test.labels) == [0]


def test_an_unreadable_image_is_found_when_it_is_decoded(tmp_path):
    (class_folders(tmp_path, n01440764=[1, 2]) / TENCH / released(2)).write_bytes(b"no image")
    source = opened(tmp_path)
    assert source.test.image(0).size == (4, 4)
    with pytest.raises(BadImage, match="00000002"):
        source.test.image(1)


@pytest.mark.parametrize("write", [write_map, write_meta])
def test_an_order_with_two_synsets_exchanged(tmp_path, write):
    place = kit(tmp_path / "kit")
    write(place, swapped())
    text = message(opened, flat(tmp_path / "val"), place)
    assert f"ID 2 is {HUSKY} there, {SETTER} here" in text
    assert "the kit's own file" in text
    assert str(place / "data") in text


@pytest.mark.parametrize(("write", "start"), [(write_map, 1), (write_map, 0), (write_meta, 1)])
def test_an_order_of_the_alphabet(tmp_path, write, start):
    place = kit(tmp_path / "kit")
    write(place, SYNSETS, **({"start": start} if start == 0 else {}))
    text = message(opened, flat(tmp_path / "val"), place)
    assert f"ID 1 is {SYNSETS[1 - start]} there, {KIT_FOX} here" in text
    assert "that list belongs to labels counted in alphabetical order" in text


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (lambda own: own[:-1], f"ID 1000 is None there, {DUMBBELL} here"),
        (lambda own: (*own, "n00001740"), "1001 synsets, not the challenge's 1000"),
    ],
)
def test_an_order_of_more_or_fewer(tmp_path, order, told):
    place = kit(tmp_path / "kit")
    write_map(place, order(kit_order()))
    assert told in message(opened, flat(tmp_path / "val"), place)


def test_a_map_with_a_line_of_another_form(tmp_path):
    place = kit(tmp_path / "kit")
    (place / "data" / "map_clsloc.txt").write_text(f"{KIT_FOX} 1 kit_fox\nEnglish setter\n")
    text = message(opened, flat(tmp_path / "val"), place)
    assert "map_clsloc.txt', line 2: 'English setter'" in text
    assert "'n02119789 1 kit_fox'" in text


def test_a_damaged_meta_mat(tmp_path):
    place = kit(tmp_path / "kit")
    (place / "data" / "meta.mat").write_bytes(b"\0\1\2 no mat file" * 20)
    text = message(opened, flat(tmp_path / "val"), place)
    assert "meta.mat' is not the kit's list of synsets" in text
    assert "unpack the kit anew" in text


def test_a_meta_mat_of_something_else(tmp_path):
    place = kit(tmp_path / "kit")
    write_meta(place, (), weights=np.zeros(3))
    assert "meta.mat' is not the kit's list of synsets ('synsets')" in message(opened, flat(tmp_path / "val"), place)


def test_a_meta_mat_without_scipy(tmp_path, monkeypatch):
    place = kit(tmp_path / "kit")
    write_meta(place, kit_order())
    real = builtins.__import__

    def without_scipy(name, *arguments):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    text = message(opened, flat(tmp_path / "val"), place)
    assert f"meta.mat' needs scipy: {install_command('demo')}" in text


@pytest.mark.parametrize("name", ["n99999999", "tench", "val", "n00001740"])
def test_a_class_folder_that_is_no_synset_of_the_challenge(tmp_path, name):
    text = message(opened, class_folders(tmp_path, n01440764=[1], **{name: [2]}))
    assert str(tmp_path / name) in text
    assert "no class of ILSVRC 2012" in text
    assert "one folder a synset" in text


def test_a_image_beyond_the_ground_truth(tmp_path):
    place = kit(tmp_path / "kit")
    text = message(opened, flat(tmp_path / "val", (4, 5, 6, 7)), place)
    assert f"{released(6)}' has no label" in text
    assert f"{TRUTH_FILE}' ends with line 5" in text


@pytest.mark.parametrize("label", ["1001", "-1", "99999999999", "kit fox", "", "n00001740", "\0\1"])
def test_a_label_that_is_none(tmp_path, label):
    place = kit(tmp_path / "kit", [1, 2, label, 4, 5])
    text = message(opened, flat(tmp_path / "val"), place)
    assert f"{TRUTH_FILE}', line 3: " in text
    assert "1 to 1000" in text
    assert (repr(label) if label != "1001" else "label 1001") in text


def test_labels_that_count_from_0(tmp_path):
    place = kit(tmp_path / "kit", [65, 970, 0])
    text = message(opened, flat(tmp_path / "val", (1, 2)), place)
    assert "line 3: label 0 is not one of 1 to 1000" in text
    assert "not labels that count from 0" in text


def test_more_labels_than_images_in_the_challenge(tmp_path):
    place = kit(tmp_path / "kit", [1] * 50_001)
    text = message(opened, flat(tmp_path / "val", (1,)), place)
    assert "50,001 labels, more than the 50,000" in text
    assert TRUTH_FILE in text


def test_a_ground_truth_of_binary_rubbish(tmp_path):
    place = kit(tmp_path / "kit")
    (place / "data" / TRUTH_FILE).write_bytes(b"490\n\x89PNG\xff\n")
    text = message(opened, flat(tmp_path / "val"), place)
    assert f"{TRUTH_FILE}' is no text, from byte 4 on" in text
    assert "unpack the kit anew" in text


def test_the_same_number_twice(tmp_path):
    text = message(opened, class_folders(tmp_path, n01440764=[1, 2], n02119789=[3, 2]))
    assert "image 2 is there twice" in text
    assert str(tmp_path / TENCH / released(2)) in text
    assert str(tmp_path / KIT_FOX / released(2)) in text


def test_class_folders_against_their_kit(tmp_path):
    folder = class_folders(tmp_path / "val", n01440764=[1], n02119789=[2, 3])
    text = message(opened, folder, kit(tmp_path / "kit"))
    assert str(folder / KIT_FOX / released(3)) in text
    assert f"is of {DUMBBELL}" in text
    assert str(tmp_path / "kit") in text


@pytest.mark.parametrize(
    "name",
    [
        "ILSVRC2012_val_1.JPEG",
        "ILSVRC2012_val_00000000.JPEG",
        "ILSVRC2012_val_00050001.JPEG",
        "ILSVRC2012_val_00000006.png",
        "a.JPEG",
    ],
)
@pytest.mark.parametrize("inside", [".", TENCH])
def test_a_file_with_another_name(tmp_path, name, inside):
    folder = flat(tmp_path / "val") if inside == "." else class_folders(tmp_path / "val", n01440764=[1])
    image(folder / inside / name)
    text = message(opened, folder, kit(tmp_path / "kit"))
    assert f"{str(folder / inside / name)!r} is not named as a validation image is" in text
    assert "ILSVRC2012_val_00000001.JPEG to ILSVRC2012_val_00050000.JPEG" in text


def test_images_and_folders_beside_each_other(tmp_path):
    class_folders(flat(tmp_path), n01440764=[6])
    text = message(opened, tmp_path)
    assert str(tmp_path) in text
    assert f"images and also the folder '{TENCH}'" in text


def test_a_stray_file_beside_class_folders(tmp_path):
    (class_folders(tmp_path, n01440764=[1]) / "labels.csv").write_text("")
    text = message(opened, tmp_path)
    assert "'labels.csv' beside its class folders" in text
    assert "take it out" in text


@pytest.mark.parametrize("inside", [None, TENCH])
def test_no_images(tmp_path, inside):
    (tmp_path / "val" / (inside or ".")).mkdir(parents=True)
    text = message(opened, tmp_path / "val")
    assert str(tmp_path / "val") in text
    assert "no images" in text
    assert released(1) in text


def test_a_flat_folder_without_its_kit(tmp_path):
    text = message(opened, flat(tmp_path))
    assert str(tmp_path) in text
    assert f"'ilsvrc:{tmp_path},KIT'" in text
    assert "ILSVRC2012_devkit_t12" in text


def test_a_kit_without_its_ground_truth(tmp_path):
    (tmp_path / "kit" / "data").mkdir(parents=True)
    text = message(opened, flat(tmp_path / "val"), tmp_path / "kit")
    assert str(tmp_path / "kit") in text
    assert "no ground truth" in text
    assert TRUTH_FILE in text


def test_two_kits_in_one_folder(tmp_path):
    kit(tmp_path / "kits" / "one")
    kit(tmp_path / "kits" / "two")
    text = message(opened, flat(tmp_path / "val"), tmp_path / "kits")
    assert str(tmp_path / "kits" / "one" / "data" / TRUTH_FILE) in text
    assert "more than once" in text


def test_a_kit_or_images_that_are_not_there(tmp_path):
    flat(tmp_path / "val")
    gone = str(tmp_path / "gone")
    assert f"no kit {gone!r}" in message(opened, tmp_path / "val", gone)
    assert f"no folder {gone!r}" in message(opened, gone)
    assert f"no folder {gone!r}" in message(opened, gone, tmp_path)
    assert "unpack it" in message(opened, tmp_path / "val" / released(1))


@pytest.mark.parametrize("source", ["ilsvrc:", "ilsvrc:,", "ilsvrc:,kit", "ilsvrc:val,"])
def test_a_name_of_another_form(source):
    text = message(open_ilsvrc, source, None)
    assert repr(source) in text
    assert "ilsvrc:IMAGES,KIT" in text


def test_a_ground_truth_that_cannot_be_read(tmp_path):
    (tmp_path / "kit" / "data" / TRUTH_FILE).mkdir(parents=True)
    text = message(opened, flat(tmp_path / "val"), tmp_path / "kit")
    assert f"{TRUTH_FILE}' cannot be read: Is a directory" in text


def test_a_network_of_other_classes_is_told_the_difference(tmp_path):
    folder = class_folders(tmp_path, n01440764=[1])
    text = message(opened, folder, None, ("cat", "dog", TENCH))
    assert "3 classes" in text
    assert "it lacks: n01443537, n01484850, n01491361, n01494475 ... (999 in all)" in text
    assert "has in their place: cat, dog" in text
    text = message(opened, folder, None, (*SYNSETS[:-1], "toilet_paper"))
    assert f"it lacks: {SYNSETS[-1]}; it has in their place: toilet_paper" in text
    assert "one of them twice" in message(opened, folder, None, (*SYNSETS, TENCH))


@pytest.fixture
def five(tmp_path):
    return opened(class_folders(tmp_path / "val", n01440764=[1], n02119789=[5, 2], n03255030=[3], n02100735=[4])).test


def blacklist(tmp_path, text):
    (tmp_path / "blacklist.txt").write_text(text)
    return tmp_path / "blacklist.txt"


def test_a_blacklist_leaves_its_images_out(tmp_path, five):
    left, count = without_blacklisted(five, blacklist(tmp_path, "36\n4\n2\n50000\n"))
    assert names(left) == [released(1), released(3), released(5)]
    assert list(left.labels) == [0, 543, 278]
    assert count == 2
    assert isinstance(left, FileDataset)


def test_a_blacklist_of_none_of_the_images(tmp_path, five):
    left, count = without_blacklisted(five, blacklist(tmp_path, "6\r\n50000"))
    assert (names(left), count) == (names(five), 0)


def test_a_blacklist_knows_images_in_any_folders_by_their_names(tmp_path):
    for name in ("cat", "dog"):
        for number in (1, 2) if name == "cat" else (3, 4):
            image(tmp_path / "set" / "train" / name / f"ILSVRC2012_val_{number:08}.png")
            image(tmp_path / "set" / "val" / name / f"ILSVRC2012_val_{number + 10:08}.jpg")
    every = open_data(tmp_path / "set").subset("all")
    left, count = without_blacklisted(every, blacklist(tmp_path, "2\n13\n"))
    assert [name[-12:-4] for name in names(left)] == ["00000001", "00000003", "00000004", "00000011", "00000012", "00000014"]
    assert list(left.labels) == [0, 1, 1, 0, 0, 1]
    assert count == 2


@pytest.mark.parametrize("line", ["0", "50001", "-3", "2.5", "n01440764", "", "999999999999"])
def test_a_line_of_a_blacklist_that_is_no_number_in_range(tmp_path, five, line):
    text = message(without_blacklisted, five, blacklist(tmp_path, f"3\n{line}\n4\n"))
    assert f"blacklist.txt', line 2: {line!r}" in text
    assert "1 to 50000" in text


def test_a_blacklist_with_a_number_twice(tmp_path, five):
    text = message(without_blacklisted, five, blacklist(tmp_path, "3\n4\n3\n"))
    assert "blacklist.txt', line 3: image 3 is listed twice" in text


def test_a_blacklist_that_is_not_there(tmp_path, five):
    text = message(without_blacklisted, five, tmp_path / "gone.txt")
    assert f"{str(tmp_path / 'gone.txt')!r} cannot be read" in text


def test_a_blacklist_of_binary_rubbish(tmp_path, five):
    (tmp_path / "blacklist.txt").write_bytes(b"\xff\xfe3\n")
    assert "is no text, from byte 0 on" in message(without_blacklisted, five, tmp_path / "blacklist.txt")


def test_a_blacklist_of_every_image(tmp_path, five):
    text = message(without_blacklisted, five, blacklist(tmp_path, "1\n2\n3\n4\n5\n6\n"))
    assert "none of the 5 images remains" in text
    assert str(tmp_path / "blacklist.txt") in text
    assert "none of the 0 images" in message(without_blacklisted, FileDataset([], []), tmp_path / "blacklist.txt")


@pytest.mark.parametrize("name", ["n01440764_10026.JPEG", "ILSVRC2012_test_00000001.JPEG", "ILSVRC2012_val_1.JPEG"])
def test_images_without_numbers_and_a_blacklist(tmp_path, name):
    images = FileDataset([tmp_path / released(1), tmp_path / name], [0, 1])
    text = message(without_blacklisted, images, blacklist(tmp_path, "3\n"))
    assert str(tmp_path / name) in text
    assert "no number" in text
    assert released(1) in text


def test_images_in_memory_and_a_blacklist(tmp_path):
    images = ArrayDataset(np.zeros((2, 4, 4), np.uint8), [0, 1], "digits/test")
    assert "'digits/test[0]' has no number" in message(without_blacklisted, images, blacklist(tmp_path, "3\n"))
