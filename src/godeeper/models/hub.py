"""Networks in folders and in repositories of Hugging Face's hub, as `model.safetensors`, in the words of the libraries there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import GodeeperError, message_lines
from ..files import could_exist
from ..preprocess import Preprocess
from .load import load, save
from .network import Network
from .weights.foreign import from_hub
from .weights.read import WEIGHTS_FILE


def save_pretrained(network: Network, folder: str | Path) -> None:
    """Writes `model.safetensors` into the folder, which is made where it is missing; the same file as `save` writes.

    OSError where it cannot be written, GodeeperError for what is no network.
    """
    save(network, Path(folder) / WEIGHTS_FILE)


def from_pretrained(source: str | Path, *, revision: str | None = None, preprocess: Preprocess | str | None = None) -> Network:
    """The network of a folder, or of a repository such as "you/flowers" on Hugging Face's hub, in evaluation mode.

    A repository's `model.safetensors` is the newest, or that of `revision`, a branch, a tag or a commit; what is in the hub's
    cache is not downloaded again, and is taken where the hub is out of reach. timm's repositories of networks known here are
    read, too. `preprocess` is as in `load`, and so are the errors; GodeeperError where nothing can be fetched.
    """
    if could_exist(source) and Path(source).exists():
        return load(source, preprocess=preprocess)
    try:
        file = from_hub(str(source), WEIGHTS_FILE, revision)
    except Exception as error:  # of many kinds: no network, no such repository, one that asks for a token, no name for one
        reason = message_lines(error.__cause__ or error)[0]
        raise GodeeperError(f"{str(source)!r} is no folder, and cannot be fetched from Hugging Face's hub: {reason}") from None
    return load(file, preprocess=preprocess)


def push_to_hub(
    network: Network, repository: str, *, private: bool | None = None, token: str | None = None, message: str = "Upload network"
) -> str:
    """Uploads `model.safetensors` to a repository on Hugging Face's hub, made where it is missing; returns the commit's address.

    Without `token` that of `hf auth login`. GodeeperError where the hub refuses or is out of reach.
    """
    from huggingface_hub import HfApi

    hub = HfApi(token=token)
    with TemporaryDirectory() as folder:
        save_pretrained(network, folder)
        try:
            hub.create_repo(repository, private=private, exist_ok=True)
            commit = hub.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
        except Exception as error:  # of many kinds: no network, no token, no right to write
            raise GodeeperError(f"{repository!r} cannot be written on Hugging Face's hub: {message_lines(error)[0]}") from None
    return str(commit)
