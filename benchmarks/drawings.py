"""How long all drawings of a network take: its architecture, its charts and each of its blocks.

python benchmarks/drawings.py
"""

from __future__ import annotations

import time

from godeeper import describe, draw, list_models


def main():
    print(f"{'network':30} {'drawings':>8} {'ms':>8}")
    for name in list_models():
        description = describe(name)
        blocks = [*(stage.name for stage in description), *description.auxiliary]
        start = time.perf_counter()
        for show in ("architecture", "cost", "receptive-field"):
            draw(name, show=show)
        for block in blocks:
            draw(name, block)
        milliseconds = 1000 * (time.perf_counter() - start)
        print(f"{name:30} {3 + len(blocks):8} {milliseconds:8.0f}")


if __name__ == "__main__":
    main()
