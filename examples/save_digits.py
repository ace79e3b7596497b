"""Writes a few held-out digits as PNG files, to have images to predict: python examples/save_digits.py FOLDER"""

import sys
from pathlib import Path

from godeeper import open_data

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
source = open_data("digits")
for digit in range(10):
    index = source.test.labels.index(digit)
    source.test.image(index).save(folder / f"a_{source.classes[digit]}.png")
print(f"10 images in {folder}")
