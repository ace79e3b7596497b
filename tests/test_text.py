"""Texts in two languages."""

from __future__ import annotations

import pytest

from godeeper.text import Text


def test_a_text_is_read_by_language() -> None:
    text = Text("image", "图片")
    assert (text.get("en"), text.get("zh")) == ("image", "图片")
    with pytest.raises(KeyError):
        text.get("fr")


def test_placeholders_take_numbers_and_texts_of_either_language() -> None:
    text = Text("{count} {what}, {error:.1f} %", "{count} {what}，{error:.1f} %")
    filled = text.format(count=3, what=Text("images", "张图片"), error=1.25)
    assert filled == Text("3 images, 1.2 %", "3 张图片，1.2 %")
