"""torch.hub's door: `torch.hub.load(FOLDER, "googlenet", source="local")` is `godeeper.create_model("googlenet")`.

There is one entry for each registered network.
"""

import sys as _sys
from collections.abc import Callable as _Callable
from pathlib import Path as _Path
from typing import Any as _Any

dependencies = ["torch", "numpy", "safetensors"]

_sys.path.insert(0, str(_Path(__file__).parent / "src"))  # a clone need not be installed
try:
    from godeeper.models import registry as _registry
    from godeeper.papers.registry import DEFINITIONS as _DEFINITIONS
finally:
    del _sys.path[0]


def _entry(name: str, source: str) -> _Callable[..., _Any]:
    def create(**options: _Any) -> _Any:
        return _registry.create_model(name, **options)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"""{name}, after {source}.

    Options are those of `godeeper.create_model`: num_classes, in_channels, width, small, aux; weights: a run folder, a file or a
    published name, without which they are fresh.
    """
    return create


globals().update({name: _entry(name, table.source) for name, table in _DEFINITIONS.items()})
