"""What a process frees, it has again without asking the system for pages."""

import platform
import resource

import pytest

from godeeper.train.memory import keep_freed_memory

SIZE = 64 * 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back by a threshold")
def test_a_freed_block_comes_back_without_new_pages():
    def pages():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        block = bytearray(b"\1") * SIZE
        assert block[-1] == 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    keep_freed_memory()
    pages()
    assert pages() < 0.1 * SIZE / resource.getpagesize()
