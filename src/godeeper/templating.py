"""HTML from Jinja2 templates, which lie in the folder `templates` of the package that uses them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True)
class PageImage:
    """An image of a page: the name of the file beside the page, its content (PNG or JPEG) and its caption."""

    file: str
    data: bytes
    caption: str = ""


def data_url(data: bytes) -> str:
    """PNG or JPEG bytes as a data: URL, with which a page needs no other file."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def render(package: str, template: str, **values: Any) -> str:
    """A template of a package such as "godeeper.explain", or one that all share, of "godeeper"; values are escaped.

    So are their letters that UTF-8 does not have, as names of files, and of the classes that they are, may be any bytes.
    """
    rendered = _environment(package).get_template(template).render(**values)
    return rendered.encode("utf-8", "backslashreplace").decode()


@lru_cache
def _environment(package: str) -> Environment:
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("godeeper")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data_url"] = data_url
    return environment
