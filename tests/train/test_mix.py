from dataclasses import replace

import pytest
import torch

from godeeper import ClassificationLoss, Recipe, create_model
from godeeper.train.mix import mix

LABELS = torch.arange(6)
IMAGES = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 8, 10).contiguous()  # each image is its number
PARTNERS = torch.tensor([3, 4, 5, 0, 1, 2])


def test_nothing_is_mixed_unless_asked():
    mixed = mix(IMAGES, LABELS, Recipe(), 0)
    assert mixed.lam == 1
    assert torch.equal(mixed.images, IMAGES)


@pytest.mark.parametrize("step", range(5))
def test_mixup_is_a_weighted_mean_with_the_image_half_a_batch_on(step):
    mixed = mix(IMAGES, LABELS, Recipe(mixup=1.0), step)
    assert 0 < mixed.lam < 1
    assert torch.equal(mixed.other_labels, PARTNERS)
    expected = mixed.lam * LABELS + (1 - mixed.lam) * PARTNERS
    assert torch.allclose(mixed.images, expected.view(6, 1, 1, 1).expand_as(IMAGES), atol=1e-6)


@pytest.mark.parametrize("step", range(20))
def test_cutmix_pastes_one_box_whose_area_is_the_share(step):
    mixed = mix(IMAGES, LABELS, Recipe(cutmix=1.0), step)
    foreign = mixed.images != IMAGES  # (6, 3, 8, 10)
    assert all(torch.equal(foreign[0, 0], one) for image in foreign for one in image)
    assert foreign[0, 0].float().mean().item() == pytest.approx(1 - mixed.lam)
    rows, columns = foreign[0, 0].any(1).nonzero(), foreign[0, 0].any(0).nonzero()
    if len(rows):
        box = foreign[0, 0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert box.all()
    pasted = torch.where(foreign, PARTNERS.view(6, 1, 1, 1).float(), IMAGES)
    assert torch.equal(mixed.images, pasted)


def test_the_draw_is_the_steps_and_with_both_either_comes():
    both = Recipe(mixup=0.5, cutmix=1.0)
    shares = [mix(IMAGES, LABELS, both, step).lam for step in range(30)]
    assert shares == [mix(IMAGES, LABELS, both, step).lam for step in range(30)]
    assert len(set(shares)) > 10
    whole = [len(mix(IMAGES, LABELS, both, step).images[0].unique()) for step in range(30)]
    assert {1, 2} <= set(whole)  # one colour: mixup; two: CutMix
    assert shares != [mix(IMAGES, LABELS, replace(both, seed=1), step).lam for step in range(30)]


@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_mix_the_pairs_that_one_would(ranks):
    images, labels = torch.rand(12, 3, 8, 8), torch.arange(12)
    recipe = Recipe(cutmix=1.0)
    whole = mix(images, labels, recipe, 4)
    for rank in range(ranks):
        mine = mix(images[rank::ranks], labels[rank::ranks], recipe, 4)
        assert torch.equal(mine.images, whole.images[rank::ranks])
        assert torch.equal(mine.other_labels, whole.other_labels[rank::ranks])


def test_the_loss_of_mixed_images_is_the_mixed_loss():
    torch.manual_seed(0)
    network = create_model("googlenet_bn", num_classes=6, width=0.25, small=True, aux=True).eval()
    torch.nn.init.normal_(network.head["linear"].linear.weight)
    criterion, (logits, auxiliary) = ClassificationLoss(0.1), network.with_auxiliary(torch.randn(6, 3, 32, 32))
    own, other = criterion(logits, LABELS, auxiliary), criterion(logits, PARTNERS, auxiliary)
    assert not torch.allclose(own, other)
    assert torch.allclose(criterion(logits, LABELS, auxiliary, PARTNERS, 0.3), 0.3 * own + 0.7 * other)
