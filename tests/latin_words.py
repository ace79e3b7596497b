"""The English words of Chinese texts: those in Latin letters but the names that Chinese texts write so, too."""

import re

from godeeper.papers.registry import DEFINITIONS

NAMES = {  # of networks, methods, data and tools; and what the glossary keeps
    "arXiv", "AlexNet", "airbench", "bninception", "Cadene", "Caffe", "CIFAR", "facenet", "fidelity", "GoogLeNet", "googlenet",
    "Inception", "Keras", "MultiBox", "pytorch", "fid", "R-CNN", "ReLU", "ResNet", "RMSProp", "SGD", "TensorFlow",
    "torch", "torchvision", "claims", "dropout", "epsilon", "softmax", "stem", "top", "valid", "ops",
    "godeeper", "train", "serve",  # commands
}  # fmt: skip
UNITS = {"PFLOP", "MB", "M", "G", "e", "x", "r", "s", "v", "V", "D", "E"}
WORD = re.compile(r"[A-Za-z](?:[A-Za-z_']|-(?=CNN))*")
# Names of networks and of their stages; "linear" is one, "linear 1000" is what a box says.
LOWER = {name for table in DEFINITIONS.values() for name in (table.name, *table.stages, *table.head, *table.auxiliary)}
LOWER |= {"mine", "first", "second", "embedding", "side", "inception-2015-12-05"}
NAMES_OF_STAGES = "|".join(map(re.escape, sorted(LOWER, key=len, reverse=True)))
STAGE = re.compile(rf"(?<![A-Za-z0-9_])(?:{NAMES_OF_STAGES})(?![A-Za-z0-9_]| \d)")


def latin_words(text):
    """The Latin words of a text that are no name and no unit."""
    return set(WORD.findall(STAGE.sub(" ", text))) - NAMES - UNITS
