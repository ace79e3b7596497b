"""A text in both of the project's languages; any text as a terminal may have it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

Lang = Literal["en", "zh"]


@dataclass(frozen=True)
class Text:
    """A text in English and in Chinese."""

    en: str
    zh: str

    def get(self, lang: str) -> str:
        """The text in "en" or "zh"; KeyError for another language."""
        return {"en": self.en, "zh": self.zh}[lang]

    def format(self, **values: object) -> Text:
        """The text with its `{name}` placeholders filled, as `str.format` does; a value that is a Text goes in by language."""

        def filled(lang: str) -> str:
            return self.get(lang).format(
                **{name: value.get(lang) if isinstance(value, Text) else value for name, value in values.items()}
            )

        return Text(filled("en"), filled("zh"))


def printable(text: object) -> str:
    """The text as one line that does nothing to a terminal but stand there: control characters, line breaks and what turns the
    direction of writing become escapes, such as \\x1b.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(letter if stands(letter) else letter.encode("unicode_escape").decode() for letter in line)


def stands(letter: str) -> bool:
    """Whether a letter only stands there."""
    return letter.isprintable() or unicodedata.category(letter) == "Zs"  # spaces of other widths, as Chinese has
