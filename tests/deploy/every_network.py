"""Which networks stand for all in the fast tests."""

import pytest

# Between them, every kind of row: pools that round up, normalisation and batch norm, residual blocks with and without ReLU.
FAST = {"googlenet_torchvision", "bn_inception_caffe", "inception_v3", "inception_resnet_v1_facenet", "alexnet"}


def representative(names):
    """The names as parameters of a test, those that others stand for marked slow."""
    assert set(names) >= FAST
    return [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in names]
