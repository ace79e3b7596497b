"""An image's bytes, read a bounded number of times: Pillow's parsers, in Python, read once or more for each piece of a file."""

from __future__ import annotations

import io

from ..errors import BadImage

HEADER_READS = 20_000  # before the pixels: an ordinary file has some dozen pieces, and one of 20 MB may have millions
PIXEL_READS = 1_000_000


class _Counted:
    _left = HEADER_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """What the stream's own `read` gives; BadImage where it has been called too often."""
        self._left -= 1
        if self._left < 0:
            raise BadImage("it consists of very many small pieces, which would be slow to read: save it anew", code="slow-format")
        return super().read(size)  # type: ignore[misc, no-any-return]

    def begin_pixels(self) -> None:
        """Allows the reads that pixels may take, now that the header is read."""
        self._left = PIXEL_READS


class CountedBytes(_Counted, io.BytesIO):
    """A file's content."""


class CountedFile(_Counted, io.BufferedReader):
    """An open file, by its raw stream."""
