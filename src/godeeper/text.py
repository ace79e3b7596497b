"""A text in both of the project's languages."""

from __future__ import annotations

from dataclasses import dataclass


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
