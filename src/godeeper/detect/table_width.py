"""How wide a network was made."""

from __future__ import annotations

import re

from ..models.network import Network


def width_of(network: Network) -> float:
    """The factor of every filter count, as the table's variant says it; 1 for a table of its own."""
    width = re.search(r"width ([\d.e+-]+)", network.definition.variant)
    return float(width[1]) if width else 1.0
