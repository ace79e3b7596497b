"""The names of classes: the table of ImageNet, and the names shown for the classes of any network."""

import random
import re

import pytest
from torchvision.models._meta import _IMAGENET_CATEGORIES

from godeeper.data.ilsvrc_kit import synsets
from godeeper.labels import ImageNetClass, chinese_name, display_names, imagenet, imagenet_names
from godeeper.text import Text

ENGLISH, CHINESE = imagenet_names(), tuple(known.name.zh for known in imagenet())


def test_the_order_is_that_of_every_network():
    assert len(imagenet()) == 1000
    assert tuple(known.synset for known in imagenet()) == tuple(sorted(synsets())) == synsets()
    assert tuple(_IMAGENET_CATEGORIES) == ENGLISH  # torchvision's list


@pytest.mark.parametrize("names", [synsets(), ENGLISH, CHINESE], ids=["synset", "English", "Chinese"])
def test_names_are_unique_and_whole(names):
    assert len(set(names)) == 1000
    assert all(name and name == name.strip() and name.isprintable() for name in names)


def test_chinese_names_are_chinese():
    for name in CHINESE:
        assert len(name) <= 12
        assert re.search(r"[\u3400-\u9fff]", name), name
    latin = {letters for name in CHINESE for letters in re.findall(r"[^\u3400-\u9fff]+", name)}
    assert latin == {"CD", "T", "iPod"}


SENSES = {
    "tench": "丁鱥", "cock": "公鸡", "jay": "松鸦", "kite": "鸢", "drake": "公鸭", "terrapin": "水龟", "crane bird": "鹤",
    "Chihuahua": "吉娃娃", "Labrador retriever": "拉布拉多寻回犬", "Cardigan": "卡迪根柯基犬", "cardigan": "开襟毛衣",
    "admiral": "红蛱蝶", "sorrel": "栗色马", "hog": "家猪", "lesser panda": "小熊猫", "giant panda": "大熊猫", "bow": "弓",
    "bookshop": "书店", "crane": "起重机", "drumstick": "鼓槌", "file": "文件柜", "maillot": "紧身连体衣",
    "maillot tank suit": "连体泳衣", "missile": "导弹", "monitor": "显示器", "mouse": "鼠标", "nail": "钉子", "plane": "木工刨",
    "projectile": "炮弹", "seat belt": "安全带", "swab": "拖把", "tank": "坦克", "worm fence": "之字形栅栏", "plate": "主菜",
    "corn": "玉米", "ear": "玉米穗", "hip": "玫瑰果", "bolete": "牛肝菌", "toilet tissue": "卫生纸",
}  # fmt: skip


def test_homonyms_have_the_sense_of_their_synset():
    assert {english: chinese for english, chinese in zip(ENGLISH, CHINESE, strict=True) if english in SENSES} == SENSES


@pytest.mark.parametrize("classes", [synsets(), ENGLISH], ids=["synsets", "English"])
def test_imagenets_classes_are_named_from_the_table(classes):
    assert display_names(classes, "en") == ENGLISH
    assert display_names(classes, "zh") == CHINESE
    both = display_names(list(classes), "both")
    assert (both[0], both[134], both[517], both[673]) == ("丁鱥 tench", "鹤 crane bird", "起重机 crane", "鼠标 mouse")
    assert len(set(both)) == 1000


def test_in_another_order_each_class_keeps_its_name():
    places = random.Random(1).sample(range(1000), 1000)
    assert display_names([ENGLISH[place] for place in places], "zh") == tuple(CHINESE[place] for place in places)


def test_classes_of_other_networks():
    classes = ("cat", "n01440764", "golf ball", "mouse", "7", "RBC", "金鱼", "okapi of the moon")
    assert display_names(classes, "en") == ("cat", "tench", "golf ball", "mouse", "7", "RBC", "金鱼", "okapi of the moon")
    assert display_names(classes, "zh") == ("猫", "丁鱥", "高尔夫球", "mouse", "七", "红细胞", "金鱼", "okapi of the moon")
    expected = ("猫 cat", "丁鱥 tench", "高尔夫球 golf ball", "mouse", "七 7", "红细胞 RBC", "金鱼", "okapi of the moon")
    assert display_names(classes, "both") == expected
    assert display_names((), "both") == ()


def test_a_single_name_is_known_unless_it_is_ambiguous():
    assert [chinese_name(name) for name in ("airplane", "tench", "n03793489", "mouse", "crane", "")] == [
        "飞机", "丁鱥", "鼠标", None, None, None
    ]  # fmt: skip
    assert imagenet()[673] == ImageNetClass("n03793489", 511, Text("mouse", "鼠标"))
