"""The Inception family and its relatives against what their papers print, typed by hand from the PDFs; without torch."""

import ast
import tokenize
from pathlib import Path

import pytest

import godeeper.papers
from godeeper import describe, list_models
from godeeper.papers.notation import SAME, Avg, BatchNorm, Cat, Conv, Max, Residual, Separable, rows
from godeeper.papers.registry import definition

PARAMETERS = {  # without heads, with 1000 classes
    "googlenet": 6_998_552,
    "googlenet_torchvision": 6_624_904,
    "inception_v3": 23_834_568,
    "inception_v3_tf": 23_834_568,
    "inception_v3_fid": 23_834_568 + 8 * 2049,
    "inception_v4": 42_679_816,
    "inception_v4_printed": 42_679_816,
    "inception_resnet_v1": 22_756_328,
    "inception_resnet_v2_printed": 32_433_928,
    "inception_resnet_v2": 55_843_464,
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
}
WITH_HEADS = {"googlenet": 13_378_280, "googlenet_torchvision": 13_004_888, "inception_v3": 27_161_264}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    assert describe(name).parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", WITH_HEADS)
def test_parameters_with_heads(name):
    assert describe(name).parameters_with_heads == WITH_HEADS[name]


def test_the_head_of_the_inceptions_on_17x17():
    """5x5/3 leaves 5x5, and a 5x5 of that leaves one: 1x1 of C to 128, 5x5 of 128 to 768, linear; two a filter for the norm."""
    for name, channels in {"inception_v3": 768, "inception_v4": 1024, "inception_resnet_v2": 1088}.items():
        described = describe(name)
        grids = [line.output for line in described.auxiliary["aux"]]
        assert grids == [(channels, 5, 5), (128, 5, 5), (768, 1, 1), (1000, 1, 1)]
        added = channels * 128 + 256 + 128 * 25 * 768 + 2 * 768 + 769 * 1000
        assert described.parameters_with_heads - described.parameters == added


def test_facenets_parameters():
    """The printed trunk, one more C block, 1792 x 512 with scale and shift, and the classifier of 512 in place of 1792."""
    block = 192 * (1792 + 2) + 192 * (1792 + 2) + 192 * (192 * 3 + 2) * 2 + 384 * 1792 + 1792
    changed = block + 1792 * 512 + 2 * 512 + (513 - 1793) * 1000
    assert describe("inception_resnet_v1_facenet").parameters == PARAMETERS["inception_resnet_v1"] + changed


# Every printed output size: height and width, channels.

PRINTED = {
    "bn_inception": {  # arXiv 1502.03167, Figure 5; 3c's output prints 576 channels, 4e's 1024
        "conv1": (112, 64), "pool1": (56, 64), "conv2": (56, 192), "pool2": (28, 192),
        "3a": (28, 256), "3b": (28, 320), "3c": (14, 576),
        "4a": (14, 576), "4b": (14, 576), "4c": (14, 576), "4d": (14, 576), "4e": (7, 1024),
        "5a": (7, 1024), "5b": (7, 1024), "avgpool": (1, 1024),
    },
    "inception_v3": {  # arXiv 1512.00567, Table 1, which prints inputs: each is the output of the row before
        "conv1": (149, 32), "conv2": (147, 32), "conv3": (147, 64), "pool1": (73, 64), "conv4": (73, 80), "conv5": (71, 192),
        "pool2": (35, 192), "A": (35, 288), "reduction_a": (17, 768), "B": (17, 768), "reduction_b": (8, 1280), "C": (8, 2048),
        "avgpool": (1, 2048), "linear": (1, 1000),
    },
    "inception_v4_printed": {  # arXiv 1602.07261, Figures 3 and 9
        "conv1": (149, 32), "conv2": (147, 32), "conv3": (147, 64), "concat1": (73, 160), "concat2": (71, 192),
        "concat3": (35, 384), "A": (35, 384), "reduction_a": (17, 1024), "B": (17, 1024), "reduction_b": (8, 1536),
        "C": (8, 1536), "avgpool": (1, 1536), "dropout": (1, 1536), "linear": (1, 1000),
    },
    "inception_resnet_v1": {  # Figures 14 and 15
        "conv1": (149, 32), "conv2": (147, 32), "conv3": (147, 64), "pool1": (73, 64), "conv4": (73, 80), "conv5": (71, 192),
        "conv6": (35, 256), "A": (35, 256), "reduction_a": (17, 896), "B": (17, 896), "reduction_b": (8, 1792),
        "C": (8, 1792), "avgpool": (1, 1792), "dropout": (1, 1792), "linear": (1, 1000),
    },
    "inception_resnet_v2_printed": {  # Figures 3, 7 and 16-19; 1152 and 2144 are the sums, where 1154 and 2048 are printed
        "conv1": (149, 32), "conv2": (147, 32), "conv3": (147, 64), "concat1": (73, 160), "concat2": (71, 192),
        "concat3": (35, 384), "A": (35, 384), "reduction_a": (17, 1152), "B": (17, 1152), "reduction_b": (8, 2144),
        "C": (8, 2144), "avgpool": (1, 2144), "linear": (1, 1000),
    },
    "inception_resnet_v2": {  # as released
        "conv1": (149, 32), "conv2": (147, 32), "conv3": (147, 64), "pool1": (73, 64), "conv4": (73, 80), "conv5": (71, 192),
        "pool2": (35, 192), "mixed": (35, 320), "A": (35, 320), "reduction_a": (17, 1088), "B": (17, 1088),
        "reduction_b": (8, 2080), "C": (8, 2080), "C_last": (8, 2080), "conv6": (8, 1536), "avgpool": (1, 1536),
    },
    "alexnet": {
        "conv1": (55, 64), "pool1": (27, 64), "conv2": (27, 192), "pool2": (13, 192), "conv3": (13, 384), "conv4": (13, 256),
        "conv5": (13, 256), "pool5": (6, 256), "fc1": (1, 4096), "fc2": (1, 4096),
    },
    "zfnet": {  # arXiv 1311.2901, Figure 3
        "conv1": (110, 96), "pool1": (55, 96), "conv2": (26, 256), "pool2": (13, 256), "conv3": (13, 384), "conv4": (13, 384),
        "conv5": (13, 256), "pool5": (6, 256), "fc1": (1, 4096), "fc2": (1, 4096),
    },
    "vgg16": {"pool1": (112, 64), "pool2": (56, 128), "pool3": (28, 256), "pool4": (14, 512), "pool5": (7, 512)},
}  # fmt: skip
for same, grids in {"bn_inception": "bn_inception_caffe", "inception_v4_printed": "inception_v4", "vgg16": "vgg19"}.items():
    PRINTED[grids] = PRINTED[same]


# Its projection of 128, as printed, is 32 more than the printed outputs of 4c and 4d have room for; 4e passes 4d's 608 through.
CAFFE = {("bn_inception_caffe", stage): size for stage, size in {"4c": (14, 608), "4d": (14, 608), "4e": (7, 1056)}.items()}


@pytest.mark.parametrize("name", PRINTED)
def test_output_sizes_are_the_prints(name):
    description = describe(name)
    expected = {stage: CAFFE.get((name, stage), size) for stage, size in PRINTED[name].items()}
    assert {stage: (width, channels) for stage in expected for channels, _, width in [description[stage].output]} == expected
    assert all(height == width for _, height, width in (stage.output for stage in description))


def test_every_stage_of_the_printed_figures_is_there():
    for name in ("bn_inception", "inception_v4_printed", "inception_resnet_v1"):
        assert [line.name for line in describe(name) if line.name in PRINTED[name]] == list(PRINTED[name])
        assert set(definition(name).stages) <= set(PRINTED[name])


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, 299) for name in list_models() if name.startswith("inception") and "facenet" not in name]
    + [("inception_resnet_v1_facenet", 160), ("bn_inception", 224), ("googlenet_torchvision", 224), ("alexnet", 224)],
)
def test_image_size(name, size):
    assert definition(name).image_size == describe(name).image_size == size


def test_facenets_sizes_at_160():
    described = describe("inception_resnet_v1_facenet")
    expected = {
        "conv1": 79, "conv2": 77, "conv3": 77, "pool1": 38, "conv4": 38, "conv5": 36, "conv6": 17, "A": 17, "B": 8, "C": 3,
    }  # fmt: skip
    assert {name: described[name].output[1] for name in expected} == expected
    assert described["embedding"].output == (512, 1, 1)


REPEATS = {
    "inception_v3": {"A": 3, "B": 4, "C": 2},
    "inception_v4": {"A": 4, "B": 7, "C": 3},
    "inception_v4_printed": {"A": 4, "B": 7, "C": 3},
    "inception_resnet_v1": {"A": 5, "B": 10, "C": 5},
    "inception_resnet_v1_facenet": {"A": 5, "B": 10, "C": 5, "C_last": 1},
    "inception_resnet_v2_printed": {"A": 5, "B": 10, "C": 5},
    "inception_resnet_v2": {"A": 10, "B": 20, "C": 9, "C_last": 1},
}


@pytest.mark.parametrize("name", REPEATS)
def test_how_often_a_module_is_repeated(name):
    assert {stage: len(rows(definition(name).stages[stage])) for stage in REPEATS[name]} == REPEATS[name]


# What sizes and counts do not show


def labels(branch):
    """A branch as the figures label it: "1x1 192, 1x7 224"."""
    return ", ".join(f"{row.size} {row.filters}" if isinstance(row, Conv) else type(row).__name__.lower() for row in branch)


def branches(name, stage):
    """The labels of the branches of a stage's first module."""
    module = rows(definition(name).stages[stage])[0]
    return [labels(branch) for branch in (module.body if isinstance(module, Residual) else module).branches]


# arXiv 1602.07261, Figures 3-6. Same count of parameters, other network: the released one runs three pairs the other way around.
STEM = "1x1 64, 3x3 96"
ORDERS = {
    ("inception_v4_printed", "concat2"): [STEM, "1x1 64, 7x1 64, 1x7 64, 3x3 96"],
    ("inception_v4", "concat2"): [STEM, "1x1 64, 1x7 64, 7x1 64, 3x3 96"],
    ("inception_resnet_v2_printed", "concat2"): [STEM, "1x1 64, 7x1 64, 1x7 64, 3x3 96"],
    ("inception_v4_printed", "B"): [
        "1x1 384", "1x1 192, 1x7 224, 7x1 256", "1x1 192, 1x7 192, 7x1 224, 1x7 224, 7x1 256", "avg, 1x1 128",
    ],
    ("inception_v4", "B"): [
        "1x1 384", "1x1 192, 1x7 224, 7x1 256", "1x1 192, 7x1 192, 1x7 224, 7x1 224, 1x7 256", "avg, 1x1 128",
    ],
    ("inception_v4_printed", "C"): ["1x1 256", "1x1 384, cat", "1x1 384, 1x3 448, 3x1 512, cat", "avg, 1x1 256"],
    ("inception_v4", "C"): ["1x1 256", "1x1 384, cat", "1x1 384, 3x1 448, 1x3 512, cat", "avg, 1x1 256"],
    ("inception_v4", "A"): ["1x1 96", "1x1 64, 3x3 96", "1x1 64, 3x3 96, 3x3 96", "avg, 1x1 96"],
    ("inception_v4", "reduction_a"): ["3x3 384", "1x1 192, 3x3 224, 3x3 256", "max"],
    ("inception_v4", "reduction_b"): ["1x1 192, 3x3 192", "1x1 256, 1x7 256, 7x1 320, 3x3 320", "max"],
    ("inception_resnet_v1", "A"): ["1x1 32", "1x1 32, 3x3 32", "1x1 32, 3x3 32, 3x3 32"],
    ("inception_resnet_v1", "reduction_a"): ["3x3 384", "1x1 192, 3x3 192, 3x3 256", "max"],
    ("inception_resnet_v1", "B"): ["1x1 128", "1x1 128, 1x7 128, 7x1 128"],
    ("inception_resnet_v1", "reduction_b"): ["1x1 256, 3x3 384", "1x1 256, 3x3 256", "1x1 256, 3x3 256, 3x3 256", "max"],
    ("inception_resnet_v1", "C"): ["1x1 192", "1x1 192, 1x3 192, 3x1 192"],
    ("inception_resnet_v2_printed", "A"): ["1x1 32", "1x1 32, 3x3 32", "1x1 32, 3x3 48, 3x3 64"],
    ("inception_resnet_v2_printed", "reduction_a"): ["3x3 384", "1x1 256, 3x3 256, 3x3 384", "max"],
    ("inception_resnet_v2_printed", "B"): ["1x1 192", "1x1 128, 1x7 160, 7x1 192"],
    ("inception_resnet_v2_printed", "reduction_b"): ["1x1 256, 3x3 384", "1x1 256, 3x3 288", "1x1 256, 3x3 288, 3x3 320", "max"],
    ("inception_resnet_v2_printed", "C"): ["1x1 192", "1x1 192, 1x3 224, 3x1 256"],
    ("inception_v3", "A"): ["1x1 64", "1x1 48, 5x5 64", "1x1 64, 3x3 96, 3x3 96", "avg, 1x1 32"],
    ("inception_v3", "C"): ["1x1 320", "1x1 384, cat", "1x1 448, 3x3 384, cat", "avg, 1x1 192"],
    ("bn_inception", "3a"): ["1x1 64", "1x1 64, 3x3 64", "1x1 64, 3x3 96, 3x3 96", "avg, 1x1 32"],
    ("bn_inception", "4c"): ["1x1 160", "1x1 128, 3x3 160", "1x1 128, 3x3 160, 3x3 160", "avg, 1x1 96"],
    ("bn_inception_caffe", "4c"): ["1x1 160", "1x1 128, 3x3 160", "1x1 128, 3x3 160, 3x3 160", "avg, 1x1 128"],
    ("bn_inception", "4e"): ["1x1 128, 3x3 192", "1x1 192, 3x3 256, 3x3 256", "max"],
    ("bn_inception", "5b"): ["1x1 352", "1x1 192, 3x3 320", "1x1 192, 3x3 224, 3x3 224", "max, 1x1 128"],
    ("googlenet_torchvision", "3a"): ["1x1 64", "1x1 96, 3x3 128", "1x1 16, 3x3 32", "max, 1x1 32"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "stage"), ORDERS)
def test_the_branches_are_the_figures(name, stage):
    assert branches(name, stage) == ORDERS[name, stage]


@pytest.mark.parametrize("name", ["inception_v4", "inception_v4_printed"])
def test_every_branch_of_c_splits_into_1x3_beside_3x1(name):
    module = rows(definition(name).stages["C"])[0]
    for branch in module.branches[1:3]:
        assert branch[-1] == Cat([Conv(256, (1, 3))], [Conv(256, (3, 1))])


def test_the_printed_and_the_released_inception_v4_differ_in_order_only():
    printed, released = definition("inception_v4_printed").stages, definition("inception_v4").stages
    assert [stage for stage in printed if printed[stage] != released[stage]] == ["concat2", "B", "C"]


def test_inception_v3s_filters_grow_from_128_to_192():
    assert [module.branches[1][0].filters for module in rows(definition("inception_v3").stages["B"])] == [128, 160, 160, 192]
    assert [module.branches[3][1].filters for module in rows(definition("inception_v3").stages["A"])] == [32, 64, 64]


RESIDUALS = [name for name in list_models() if name.startswith("inception_resnet")]


@pytest.mark.parametrize("name", RESIDUALS)
def test_residuals_are_scaled_by_17_10_and_20_percent(name):
    stages = definition(name).stages
    for stage, scale in {"A": 0.17, "B": 0.10, "C": 0.20}.items():
        assert {(block.scale, block.relu) for block in rows(stages[stage])} == {(scale, True)}
        assert 0.1 <= scale <= 0.3  # Section 3.3
    assert ("C_last" in stages) == (name in ("inception_resnet_v2", "inception_resnet_v1_facenet"))


@pytest.mark.parametrize("name", ["inception_resnet_v2", "inception_resnet_v1_facenet"])
def test_the_last_block_has_scale_1_and_no_relu(name):
    stages = definition(name).stages
    (last,) = rows(stages["C_last"])
    assert (last.scale, last.relu) == (1.0, False)
    assert last.body == rows(stages["C"])[0].body


BATCH_NORMS = {  # eps, momentum, whether convolutions keep a bias
    "googlenet": None, "googlenet_counted": None, "alexnet": None, "zfnet": None, "vgg16": None, "vgg19": None,
    "googlenet_bn": (1e-3, 0.1, False), "googlenet_torchvision": (1e-3, 0.1, False), "bn_inception": (1e-3, 0.1, False),
    "googlenet_cifar": (1e-5, 0.4, False), "bn_inception_caffe": (1e-5, 0.1, True),
    **dict.fromkeys(("inception_v3", "inception_v3_tf", "inception_v3_fid"), (1e-3, 0.1, False)),
    "inception_v4": (1e-3, 3e-4, False), "inception_v4_printed": (1e-3, 3e-4, False),  # TensorFlow's decay 0.9997
    "inception_resnet_v1": (1e-3, 3e-4, False), "inception_resnet_v2_printed": (1e-3, 3e-4, False),
    "inception_resnet_v2": (1e-3, 3e-4, False), "inception_resnet_v1_facenet": (1e-3, 0.1, False),
}  # fmt: skip


@pytest.mark.parametrize("name", list_models())
def test_batch_norm(name):
    expected = BATCH_NORMS[name]
    assert definition(name).batch_norm == (expected and BatchNorm(*expected))


def every(word, stages):
    """All rows of a kind, however deep."""
    for stage in stages:
        for row in rows(stage):
            if isinstance(row, word):
                yield row
            inside = [row.body] if isinstance(row, Residual) else row.branches if isinstance(row, Cat) else []
            yield from every(word, [tuple(branch) if not isinstance(branch, Cat) else branch for branch in inside])


AVERAGES = {  # how many average pools stand in modules, and whether they average zeros too
    "bn_inception": (7, False), "bn_inception_caffe": (7, True), "inception_v3": (9, True),
    "inception_v3_tf": (9, False), "inception_v3_fid": (8, False),  # whose ninth is a max pool
    "inception_v4": (14, False), "inception_v4_printed": (14, False), "inception_resnet_v2": (1, False),
    "inception_resnet_v1": (0, False), "inception_resnet_v2_printed": (0, False),
}  # fmt: skip


@pytest.mark.parametrize("name", AVERAGES)
def test_average_pools(name):
    count, counted = AVERAGES[name]
    averages = list(every(Avg, definition(name).stages.values()))
    assert averages == [Avg(3, 1, SAME, counted)] * count


DROPOUT = {"googlenet": 0.4, "googlenet_torchvision": 0.2, "inception_resnet_v1_facenet": 0.6, "inception_v3": 0.5}


@pytest.mark.parametrize("name", [*DROPOUT, "inception_v4", "inception_resnet_v1", "inception_resnet_v2_printed"])
def test_dropout(name):
    assert describe(name)["dropout"].kind == f"dropout {DROPOUT.get(name, 0.2):.0%}"  # "keep 0.8"


def test_bn_inception_starts_separably_and_caffes_does_not():
    assert definition("bn_inception").stages["conv1"] == Separable(64, 7, 2, multiplier=8)
    assert definition("bn_inception_caffe").stages["conv1"] == Conv(64, 7, 2)
    assert {pool.padding for pool in every(Max, definition("bn_inception_caffe").stages.values()) if pool.stride == 2} == {"ceil"}


def test_vggs_depth_is_its_name():
    assert (describe("vgg16").depth, describe("vgg19").depth) == (16, 19)
    assert (describe("alexnet").depth, describe("zfnet").depth) == (8, 8)


@pytest.mark.parametrize(
    ("name", "adds"),
    [("inception_v3", 5.7), ("inception_v4", 12.3), ("inception_resnet_v2", 13.2), ("vgg16", 15.5), ("alexnet", 0.7)],
)
def test_multiply_adds_are_what_others_report(name, adds):
    """Billions for one image, as timm and torchvision have them."""
    assert round(describe(name).multiply_adds / 1e9, 1) == adds


# The goal: tables that are read in one go


def lines_of_code(file: Path) -> int:
    """Lines that are not blank, comment or docstring."""
    tree = ast.parse(file.read_text())
    owners = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = [node.body[0] for node in owners if ast.get_docstring(node) is not None]
    without = {line for node in docstrings for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    nothing = {"COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENCODING", "ENDMARKER"}
    with file.open("rb") as source:
        tokens = [token for token in tokenize.tokenize(source.readline) if tokenize.tok_name[token.type] not in nothing]
    return len({line for token in tokens for line in range(token.start[0], token.end[0] + 1)} - without)


SIX_LINES = '''"""Doc,

two."""

# a comment
X = [  # a row
    1,

    # another
    2,
]


def f():
    """Doc."""
    return X
'''


def test_counting_lines(tmp_path):
    file = tmp_path / "table.py"
    file.write_text(SIX_LINES)
    assert lines_of_code(file) == 6


def test_the_six_tables_have_fewer_than_400_lines():
    folder = Path(godeeper.papers.__file__).parent
    tables = ("googlenet", "bn_inception", "inception_v3", "inception_v4", "inception_resnet", "related")
    counts = {table: lines_of_code(folder / f"{table}.py") for table in tables}
    assert min(counts.values()) > 30
    assert sum(counts.values()) < 400, counts
