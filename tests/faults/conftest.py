import gc

import pytest

from .lab import Lab


@pytest.fixture(scope="module")
def lab(host):
    lab = Lab(host)
    gc.collect()
    gc.freeze()  # what was there before is not looked through again and again
    yield lab
