"""Selective search (Uijlings et al. 2013) as R-CNN ran it, by OpenCV: where objects might be, judged by colour and texture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ..data.objects import Floats
from ..packages import require

# R-CNN's "fast mode" (arXiv 1311.2524 and its released code): two colour spaces, two segmentations, two ways to compare.
WIDTH = 500  # pixels that images are resized to, across,
HEIGHT = 2000  # unless they would be higher than this: an image of one column would be searched for hours
SEGMENTATIONS = 50, 100  # Felzenszwalb's scale k, which is also the smallest superpixel's number of pixels
SIGMA = 0.8
SMALLEST = 20  # pixels at that width: narrower or lower boxes are left out
LARGER_SUPERPIXELS = 2.0  # arXiv 1409.4842, Section 8: "the superpixel size was increased by 2x"


def selective_search(image: Image.Image, superpixels: float = LARGER_SUPERPIXELS) -> Floats:
    """Boxes (N, 4) in an RGB image where an object might be; a function of the image alone.

    `superpixels` times R-CNN's is the size of the segments it begins with; R-CNN itself is 1. GodeeperError where OpenCV's
    contrib modules are missing.
    """
    cv2 = require("cv2", "detect")
    times = min(WIDTH / image.width, HEIGHT / image.height)
    sides = max(1, round(image.width * times)), max(1, round(image.height * times))
    resized = image.resize(sides, Image.Resampling.BILINEAR)
    search = _search(cv2, np.array(resized)[..., ::-1], superpixels)
    found = np.array(search.process(), np.float32).reshape(-1, 4)  # left, top, width, height
    found = found[(found[:, 2:] >= SMALLEST).all(1)]
    boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)
    boxes = np.unique(boxes, axis=0)  # OpenCV ranks them by chance, so in an order of our own
    scale = np.array([image.width / resized.width, image.height / resized.height] * 2, np.float32)
    edges = np.array([image.width, image.height] * 2, np.float32)
    result: Floats = np.minimum(boxes * scale, edges)
    return result


def _search(cv2: Any, image: Any, superpixels: float) -> Any:
    module = cv2.ximgproc.segmentation
    search = module.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image))
    for space in (cv2.COLOR_BGR2HSV, cv2.COLOR_BGR2Lab):
        search.addImage(cv2.cvtColor(image, space))
    for scale in SEGMENTATIONS:
        k = scale * superpixels
        search.addGraphSegmentation(module.createGraphSegmentation(SIGMA, k, round(k)))

    def strategy(*names: str) -> Any:
        parts = [getattr(module, f"createSelectiveSearchSegmentationStrategy{name}")() for name in names]
        together = module.createSelectiveSearchSegmentationStrategyMultiple()
        for part in parts:
            together.addStrategy(part, 1.0 / len(parts))
        return together

    search.addStrategy(strategy("Color", "Texture", "Size", "Fill"))
    search.addStrategy(strategy("Texture", "Size", "Fill"))
    return search
