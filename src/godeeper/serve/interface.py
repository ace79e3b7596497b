"""What the server's interface looks like: what FastAPI makes OpenAPI from, and a page for people, without scripts."""

from __future__ import annotations

import html
from typing import Any

from pydantic import BaseModel, Field

from ..labels import Lang

FIELD = "image"  # of a form
LANGUAGES: tuple[Lang, ...] = ("en", "zh", "both")
DEFAULT_TOP = 5
REASONS = {
    400: "Not an image, damaged, of too many pixels, or slow to decode; or a form without the field",
    408: "The body arrived too slowly",
    413: "The body is too large",
    415: "Neither an image's bytes nor a form",
    422: "The query is not one of those described",
    503: "Too much to do: try again after `Retry-After` seconds",
    504: "Waited too long for the network",
}
_IMAGE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {FIELD: _IMAGE["schema"]}, "required": [FIELD]}}
_KINDS = {"image/*": _IMAGE, "application/octet-stream": _IMAGE, "multipart/form-data": _FORM}
BODY = {"requestBody": {"required": True, "content": _KINDS}}
ABOUT = f"The image's bytes are the body, or the field `{FIELD}` of a form. Paths and URLs are not followed."
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>godeeper</title>
<body style="font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto">
<h1>godeeper</h1><p>{about}</p>
<pre>curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' '{url}predict?top=3&amp;lang=both'</pre>
<h2>Query</h2><dl>{query}</dl><h2>Refusals: {{"error": reason}}</h2><dl>{reasons}</dl>
<p>The whole interface: <a href="openapi.json">openapi.json</a>. Counters: <a href="metrics">metrics</a>.
State: <a href="health">health</a>.</p></body></html>"""


class NamedClass(BaseModel):
    """A class in an answer."""

    label: str
    label_zh: str | None = Field(None, description="With `lang=both`")
    probability: float = Field(ge=0, le=1)


class PredictAnswer(BaseModel):
    """The most likely classes, the most likely first."""

    predictions: list[NamedClass]
    model: str
    seconds: float


class EmbedAnswer(BaseModel):
    """What the classifier sees of an image, by which images are compared."""

    embedding: list[float]
    model: str
    seconds: float


class Health(BaseModel):
    """Whether images are being answered."""

    status: str
    model: str


class Refusals(BaseModel):
    """A refusal's reason."""

    error: str


def refusals(more: dict[int, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """The refusals of an address, for OpenAPI."""
    return {status: {"model": Refusals, "description": reason} for status, reason in {**REASONS, **(more or {})}.items()}


def describe_as_html(openapi: dict[str, Any], url: str) -> str:
    """The description of `/predict` as HTML; `url` is where the server is, with a slash at the end."""
    operation = openapi["paths"]["/predict"]["post"]
    query = "".join(_term(item["name"], item["description"]) for item in operation["parameters"])
    reasons = "".join(_term(str(status), reason) for status, reason in REASONS.items())
    return _PAGE.format(about=html.escape(operation["description"]), url=html.escape(url), query=query, reasons=reasons)


def _term(name: str, text: str) -> str:
    return f"<dt><b>{html.escape(name)}</b></dt><dd>{html.escape(text)}</dd>"
