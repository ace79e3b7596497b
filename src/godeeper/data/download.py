"""Files at a URL, downloaded whole, once, before they are used."""

from __future__ import annotations

import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import GodeeperError, message_lines
from ..files import atomic_write, cache_folder
from ..packages import install_command

TIMEOUT = 60  # seconds without a byte, after which a web server is given up


def data_root() -> Path:
    """Where downloaded datasets and shards are kept: the folder that GODEEPER_DATA names, or `data/` in the cache folder."""
    folder = os.environ.get("GODEEPER_DATA")
    return Path(folder).expanduser() if folder else cache_folder() / "data"


def is_url(name: str) -> bool:
    """Whether a name is of a file elsewhere: http, https, s3, gs, hf and whatever else fsspec knows."""
    return "://" in name


def downloaded(url: str) -> Path:
    """The local copy of a file, downloaded if it is missing, by one process of a machine while the others wait.

    GodeeperError, with the reason, where the file cannot be had.
    """
    import fsspec
    from filelock import FileLock

    folder = data_root() / "downloads" / sha256(url.rpartition("/")[0].encode()).hexdigest()[:16]
    target = folder / (url.rpartition("/")[2] or "file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not target.is_file():
                print(f"downloading {url}", file=sys.stderr)
                with (
                    fsspec.open(url, "rb", **_options(url)) as remote,
                    atomic_write(target) as partial,
                    partial.open("wb") as copy,
                ):
                    shutil.copyfileobj(remote, copy, 1 << 22)
    except ImportError as error:
        extra = f" ({install_command('data')})" if url.startswith("http") else ""  # of other kinds, fsspec names the package
        raise GodeeperError(f"{url!r} cannot be downloaded: {' '.join(str(error).split())}{extra}") from None
    except FileNotFoundError as error:  # what fsspec raises for a server that does not answer, too
        cause = error.__cause__
        reason = f"nobody answers: {cause}" if isinstance(cause, OSError) else "there is no such file"
        raise GodeeperError(f"{url!r} cannot be downloaded: {reason}") from None
    except Exception as error:  # each kind of storage has errors of its own
        reason = " ".join(message_lines(error))
        raise GodeeperError(f"{url!r} cannot be downloaded into {str(folder)!r}: {reason}") from None
    return target


def _options(url: str) -> dict[str, Any]:
    """For the web: proxies as the environment names them, and as much time as a shard takes; aiohttp gives five minutes."""
    if not url.startswith(("http://", "https://")):
        return {}
    from aiohttp import ClientTimeout

    return {"client_kwargs": {"trust_env": True, "timeout": ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)}}
