"""What a process frees, it has again without asking the system for pages."""

import platform
import subprocess
import sys

import pytest

PAGES = """
import resource
from godeeper.train.memory import keep_freed_memory

SIZE = 64 * 2**20


def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(b"\\1") * SIZE
    assert block[-1] == 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


keep_freed_memory()
pages()
print(pages() / (SIZE / resource.getpagesize()))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back by a threshold")
def test_a_freed_block_comes_back_without_new_pages():
    """In a process of its own: where tests ran before, the heap may have no free block of the size."""
    share = subprocess.run([sys.executable, "-c", PAGES], check=True, capture_output=True, text=True, timeout=120).stdout
    assert float(share) < 0.1
