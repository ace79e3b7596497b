"""The plain PyTorch of the guide's pages and of the example computes what the tables do, from the same weights."""

import re
import runpy
from copy import deepcopy

import pytest
import torch

from godeeper import create_model
from godeeper.models.build import build_stage, initialise
from godeeper.papers.registry import definition
from godeeper.papers.shape import FeatureShape
from networks import alive, images
from pages import ROOT, blocks

PLAIN = re.compile(r"\(nn\.(Module|Sequential)\):|nn\.Conv2d\(")


def plain_blocks(page):
    """What a page's blocks of torch alone define."""
    names = {}
    for block in blocks(f"docs/en/guide/{page}.md"):  # the Chinese page's are the same but for comments: tests/test_docs.py
        if block.language == "python" and not block.excerpt_of and PLAIN.search(block.code) and "godeeper" not in block.code:
            exec(block.code, names)
    return names


def copied(plain, ours):
    """The plain module, in evaluation, with our weights in order; names differ, shapes may not."""
    state, other = plain.state_dict(), ours.state_dict()
    plain.load_state_dict(dict(zip(state, other.values(), strict=True)))
    return plain.eval()


def stem_of(network, first):
    """The rows before the first block."""
    stages = definition(network).stages
    rows = [stages[name] for name in list(stages)[: list(stages).index(first)]]
    return tuple(row for stage in rows for row in (stage if isinstance(stage, tuple) else (stage,)))


def stage(network, name):
    """A stage; of equal blocks in sequence, one."""
    found = definition(network).stages[name]
    return found[0] if isinstance(found, tuple) else found


V1, V2, V4 = "inception_resnet_v1", "inception_resnet_v2_printed", "inception_v4_printed"
# The page, what it defines, with which arguments; the network whose table has it, under which name; the channels and side of x.
BLOCKS = [
    ("googlenet-module", "Inception", (192, 64, 96, 128, 16, 32, 32), "googlenet", "3a", (192, 9)),
    ("googlenet-network", "Stem", (), "googlenet", "stem", (3, 64)),
    ("googlenet-network", "AuxiliaryHead", (512,), "googlenet", "aux1", (512, 14)),
    ("inception-v4", "Stem", (), V4, "stem", (3, 75)),
    ("inception-v4", "InceptionA", (), V4, "A", (384, 5)),
    ("inception-v4", "InceptionB", (), V4, "B", (1024, 5)),
    ("inception-v4", "InceptionC", (), V4, "C", (1536, 5)),
    ("grid-reduction", "ReductionA", (384, 192, 224, 256, 384), V4, "reduction_a", (384, 7)),
    ("grid-reduction", "ReductionB", (), V4, "reduction_b", (1024, 7)),
    ("grid-reduction", "ResNetReductionB", (896, 256, 256, 256), V1, "reduction_b", (896, 7)),
    ("grid-reduction", "ResNetReductionB", (1152, 288, 288, 320), V2, "reduction_b", (1152, 7)),
    ("inception-resnet", "ResNetStem", (), V1, "stem", (3, 75)),
    ("inception-resnet", "InceptionResNetA", (), V1, "A", (256, 5)),
    ("inception-resnet", "InceptionResNetA", (384, 48, 64), V2, "A", (384, 5)),
    ("inception-resnet", "InceptionResNetB", (), V1, "B", (896, 5)),
    ("inception-resnet", "InceptionResNetB", (1152, 192, 128, 160, 192), V2, "B", (1152, 5)),
    ("inception-resnet", "InceptionResNetC", (), V1, "C", (1792, 5)),
    ("inception-resnet", "InceptionResNetC", (2144, 224, 256), V2, "C", (2144, 5)),
]


def rows_of(network, what):
    if what == "stem":
        return stem_of(network, "3a" if network == "googlenet" else "A")
    if what == "aux1":
        return tuple(definition(network).auxiliary["aux1"].stages.values())
    return stage(network, what)


@pytest.mark.parametrize(("page", "name", "arguments", "network", "what", "entering"), BLOCKS)
def test_a_pages_block_is_the_tables(page, name, arguments, network, what, entering):
    channels, side = entering
    torch.manual_seed(0)
    ours = build_stage(rows_of(network, what), FeatureShape(channels, side, side), definition(network).batch_norm)
    initialise(ours)
    plain = copied(plain_blocks(page)[name](*arguments), alive(ours))
    x = images(side, channels=channels).clamp(min=0)
    with torch.inference_mode():
        expected, features = ours(x), plain(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-5)


def test_the_scaled_residual_is_the_tables():
    torch.manual_seed(0)
    ours = build_stage(stage(V1, "C"), FeatureShape(1792, 5, 5), definition(V1).batch_norm)
    initialise(ours)
    branches = deepcopy(alive(ours).body)
    plain = copied(plain_blocks("residual-scaling")["ScaledResidual"](branches, 192 + 192, 1792, scale=0.20), ours)
    x = images(5, channels=1792).clamp(min=0)
    with torch.inference_mode():
        torch.testing.assert_close(plain(x), ours(x), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(ours(x), x, atol=0.01)


def test_plain_googlenet_is_create_models():
    torch.manual_seed(0)
    ours = create_model("googlenet", aux=True)
    plain = copied(runpy.run_path(str(ROOT / "examples/plain_googlenet.py"))["GoogLeNet"](), alive(ours))
    x = images(224, count=1)
    with torch.inference_mode():
        logits, heads = ours.with_auxiliary(x)
        torch.testing.assert_close(plain(x), logits, atol=1e-5, rtol=1e-5)
        plain.training = True  # to have the heads' logits, too, with nothing dropped
        for answer, expected in zip(plain(x), (logits, heads["aux1"], heads["aux2"]), strict=True):
            torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)
    assert logits.std() > 0.1


@pytest.mark.slow
def test_plain_googlenet_runs(capsys):
    runpy.run_path(str(ROOT / "examples/plain_googlenet.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "(2, 832, 7, 7)" in printed
    assert "6,998,552" in printed
    assert 10 < float(printed.split()[-1]) < 13  # 1.6 x log(1000) is 11.05
