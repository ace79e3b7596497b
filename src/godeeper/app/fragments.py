"""Fragments of HTML that the tabs show, from the templates of this package."""

from __future__ import annotations

from ..templating import render
from .app_texts import AppLang, text


def fragment(template: str, lang: AppLang, **values: object) -> str:
    """A template rendered with `text(key, ...)`, the app's texts in the language; all values are escaped."""

    def in_language(key: str, **gaps: object) -> str:
        return text(key, lang, **gaps)

    return render("godeeper.app", template, text=in_language, **values).strip()


def note(message: str) -> str:
    """A line that says why there is nothing else."""
    return render("godeeper.app", "note.html", message=message).strip()
