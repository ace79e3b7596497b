"""Selective search (Uijlings et al. 2013) as R-CNN ran it, by OpenCV: merges superpixels of alike colour and texture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ..data.annotations import Floats
from ..packages import require

# R-CNN's "fast mode" (arXiv 1311.2524 and its released code): two colour spaces, two segmentations, two similarity measures.
WIDTH = 500  # pixels that images are resized to,
HEIGHT = 2000  # unless they would be higher than this: an image of one column would be searched for hours
SEGMENTATIONS = 50, 100  # Felzenszwalb's scale k, which is also the smallest superpixel's number of pixels
SIGMA = 0.8
SMALLEST = 20  # pixels at that width: boxes narrower or lower are left out
LARGER_SUPERPIXELS = 2.0  # arXiv 1409.4842, Section 8: "the superpixel size was increased by 2x"


def selective_search(image: Image.Image, superpixels: float = LARGER_SUPERPIXELS) -> Floats:
    """Boxes (N, 4) in an RGB image where an object might be; they depend on the image alone.

    The search starts with superpixels `superpixels` times the size of R-CNN's. GodeeperError where OpenCV's contrib modules
    are missing.
    """
    cv2 = require("cv2", "detect")
    scale = min(WIDTH / image.width, HEIGHT / image.height)
    sides = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    resized = image.resize(sides, Image.Resampling.BILINEAR)
    search = _search(cv2, np.array(resized)[..., ::-1], superpixels)
    regions = np.array(search.process(), np.float32).reshape(-1, 4)  # left, top, width, height
    regions = regions[(regions[:, 2:] >= SMALLEST).all(1)]
    boxes = np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:]], axis=1)
    boxes = np.unique(boxes, axis=0)  # OpenCV's own order is random
    back = np.array([image.width / resized.width, image.height / resized.height] * 2, np.float32)
    edges = np.array([image.width, image.height] * 2, np.float32)
    result: Floats = np.minimum(boxes * back, edges)
    return result


def _search(cv2: Any, image: Any, superpixels: float) -> Any:
    """OpenCV's search on a BGR image (H, W, 3), ready to run."""
    module = cv2.ximgproc.segmentation
    search = module.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image))
    for space in (cv2.COLOR_BGR2HSV, cv2.COLOR_BGR2Lab):
        search.addImage(cv2.cvtColor(image, space))
    for segmentation in SEGMENTATIONS:
        k = segmentation * superpixels
        search.addGraphSegmentation(module.createGraphSegmentation(SIGMA, k, round(k)))
    for names in (("Color", "Texture", "Size", "Fill"), ("Texture", "Size", "Fill")):
        similarity = module.createSelectiveSearchSegmentationStrategyMultiple()
        for name in names:
            measure = getattr(module, f"createSelectiveSearchSegmentationStrategy{name}")()
            similarity.addStrategy(measure, 1.0 / len(names))
        search.addStrategy(similarity)
    return search
