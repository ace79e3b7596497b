"""The words that tables are written with, for tables of your own: `from godeeper.notation import *`."""

from .papers.notation import *  # noqa: F403
from .papers.notation import __all__  # noqa: F401
