"""Images for tests, no two alike."""

import numpy as np
from PIL import Image


def made_images(count, size=(48, 40), seed=0):
    """PIL images of a few colours in blocks."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)
    return [Image.fromarray(block).resize(size, Image.Resampling.BICUBIC) for block in blocks]
