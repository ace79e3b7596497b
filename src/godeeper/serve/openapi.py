"""The server's interface, described: for machines as OpenAPI, for people as a page without scripts."""

from __future__ import annotations

import html
from typing import Any

from ..labels import Lang
from ..version import __version__

FIELD = "image"  # of a form
LANGUAGES: tuple[Lang, ...] = ("en", "zh", "both")
DEFAULT_TOP = 5

_REASONS = {
    "400": "Not an image, damaged, of too many pixels; or a form without the field",
    "408": "The body arrived too slowly",
    "413": "The body is too large",
    "415": "Neither an image's bytes nor a form",
    "422": "The query is not one of those described",
    "503": "Too much to do: try again after `Retry-After` seconds",
    "504": "Waited too long for the network",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>godeeper</title>
<body style="font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto">
<h1>godeeper</h1><p>{about}</p>
<pre>curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' '{url}predict?top=3&amp;lang=both'</pre>
<h2>Query</h2><dl>{query}</dl><h2>Refusals: {{"error": reason}}</h2><dl>{reasons}</dl>
<p>The whole interface: <a href="openapi.json">openapi.json</a>. Counters: <a href="metrics">metrics</a>.
State: <a href="health">health</a>.</p></body></html>"""


def describe_interface(classes: int, lang: Lang) -> dict[str, Any]:
    """The OpenAPI description of a server whose network knows so many classes; `lang` is the language unless one is asked for."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "godeeper", "version": __version__},
        "paths": {
            "/predict": {"post": _predict(classes, lang)},
            "/embed": {"post": _embed()},
            "/health": {"get": _get("Whether images are being answered", "application/json", {"503": "They are not"})},
            "/metrics": {"get": _get("The server's counters in Prometheus's text format", "text/plain")},
        },
    }


def describe_as_html(classes: int, lang: Lang, url: str) -> str:
    """The description as HTML; `url` is where the server is, with a slash at the end."""
    operation = _predict(classes, lang)
    query = "".join(_term(item["name"], item["description"]) for item in operation["parameters"])
    reasons = "".join(_term(status, reason) for status, reason in _REASONS.items())
    return _PAGE.format(about=html.escape(operation["description"]), url=html.escape(url), query=query, reasons=reasons)


def _term(name: str, text: str) -> str:
    return f"<dt><b>{html.escape(name)}</b></dt><dd>{html.escape(text)}</dd>"


def _predict(classes: int, lang: Lang) -> dict[str, Any]:
    names = f"Labels in English (`en`), in Chinese where known (`zh`), or `both`, these in `label_zh`; here `{lang}` unless given"
    top = {"type": "integer", "minimum": 1, "maximum": classes, "default": min(DEFAULT_TOP, classes)}
    return {
        "summary": "Name what is in an image",
        "description": f"The image's bytes are the body, or the field `{FIELD}` of a form. Paths and URLs are not followed.",
        "parameters": [
            {"name": "top", "in": "query", "description": f"How many classes to name, 1 to {classes}", "schema": top},
            {"name": "lang", "in": "query", "description": names, "schema": {"enum": list(LANGUAGES), "default": lang}},
        ],
        "requestBody": _image_body(),
        "responses": {"200": _response("The most likely classes, the most likely first", _answer())} | _refusals(_REASONS),
    }


def _embed() -> dict[str, Any]:
    numbers = {"type": "array", "items": {"type": "number"}}
    answer = _object({"embedding": numbers, "model": {"type": "string"}, "seconds": {"type": "number"}})
    length = {"type": "boolean", "default": False}
    return {
        "summary": "Embed an image",
        "description": "What the classifier sees of it, by which images are compared. The body is as for `/predict`.",
        "parameters": [{"name": "normalize", "in": "query", "description": "Scale it to length 1", "schema": length}],
        "requestBody": _image_body(),
        "responses": {"200": _response("The embedding", answer)}
        | _refusals({"404": "The server runs an exported file, which gives none", **_REASONS}),
    }


def _image_body() -> dict[str, Any]:
    image = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {FIELD: image}, "required": [FIELD]}
    kinds = {"image/*": image, "application/octet-stream": image, "multipart/form-data": form}
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in kinds.items()}}


def _refusals(reasons: dict[str, str]) -> dict[str, Any]:
    return {status: _response(reason, _object({"error": {"type": "string"}})) for status, reason in reasons.items()}


def _answer() -> dict[str, Any]:
    text = {"type": "string"}
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    prediction = _object({"label": text, "probability": probability})
    prediction["properties"]["label_zh"] = text
    return _object({"predictions": {"type": "array", "items": prediction}, "model": text, "seconds": {"type": "number"}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _get(summary: str, kind: str, others: dict[str, str] | None = None) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary, "content": {kind: {}}}}
    return {"summary": summary, "responses": responses | {k: {"description": v} for k, v in (others or {}).items()}}
