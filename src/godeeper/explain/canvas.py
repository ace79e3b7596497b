"""What all drawings made with Pillow share: colours, fonts for any text, and writing an image's file."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageFont

from ..errors import GodeeperError
from ..files import atomic_write

INK, MUTED, PAPER = "#1f2328", "#57606a", "#ffffff"
CJK_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "wqy-microhei.ttc", "PingFang.ttc", "msyh.ttc", "simhei.ttf")
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font_for(text: str, size: int) -> Font:
    """A font of that size with the letters of the text, as far as one is installed."""
    needs_cjk = any(ord(letter) > 0x2E7F for letter in text)  # Chinese, Japanese, Korean: Pillow's own font has no such letters
    return (_cjk_font(size) if needs_cjk else None) or ImageFont.load_default(size)


def _cjk_font(size: int) -> ImageFont.FreeTypeFont | None:
    for name in CJK_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def require_chinese_font() -> None:
    """GodeeperError if no font with Chinese letters is installed."""
    if _cjk_font(12) is None:
        raise GodeeperError("no font with Chinese letters is installed: install one, such as fonts-noto-cjk, or choose --lang en")


def png(image: Image.Image) -> bytes:
    """An image as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def save_image(image: Image.Image, out: Path) -> None:
    """Writes an image atomically in the format of the file's suffix; GodeeperError if it cannot be written."""
    kind = Image.registered_extensions().get(out.suffix.lower())
    try:
        if kind is None:
            raise ValueError("name a .png, .jpg or .webp file")
        with atomic_write(out) as partial:
            image.save(partial, kind)
    except (OSError, ValueError) as error:
        raise GodeeperError(f"cannot write {str(out)!r}: {getattr(error, 'strerror', None) or error}") from None
