"""Loaders whose processes die, or cannot hand over what they have made: an error within seconds, never an endless wait."""

import os
import resource
from functools import partial

import pytest
import torch
from torch.utils.data import Dataset

from godeeper import GodeeperError
from godeeper.data.workers import WorkerLoader

pytestmark = pytest.mark.timeout(60)  # not the half hour that a loader may wait


class Images(Dataset):
    """Four images; before it makes the last, its process does something to itself."""

    def __init__(self, happens):
        self.happens = happens

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 3:
            self.happens()
        return torch.zeros(3, 8, 8, dtype=torch.uint8)


def limited(what):
    """Nothing more can be opened, or shared memory made, as on a full /dev/shm."""
    resource.setrlimit(what, (0, resource.getrlimit(what)[1]))


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(lambda: limited(resource.RLIMIT_NOFILE), id="too many open files"),
        pytest.param(lambda: limited(resource.RLIMIT_FSIZE), id="shared memory is full"),
        pytest.param(partial(os._exit, 3), id="it dies"),
    ],
)
@pytest.mark.parametrize("collate", [torch.stack, None])  # handed over by a thread; made in shared memory already
def test_a_process_that_cannot_hand_over_its_images_is_an_error(happens, collate):
    loader = WorkerLoader(Images(happens), 1, batch_size=1, collate_fn=collate)
    with pytest.raises(GodeeperError, match="images died") as error, loader:
        list(loader)
    assert "\\n" not in str(error.value)
