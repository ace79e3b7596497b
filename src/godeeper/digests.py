"""How plain data are told apart."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any


def json_digest(plain: Any) -> str:
    """SHA-256, in 64 hexadecimal digits, of plain data as JSON; dictionaries in any order are the same, tuples are lists."""
    return sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
