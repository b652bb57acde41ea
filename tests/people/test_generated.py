"""Graphs by chance: what changes the stock sampler's latent changes the key, and what does not, does not."""

import pytest
from noise_search.tests.people.generating import Generating

GRAPHS, CHANGES = 16, 5  # and as many that change nothing; many more in `dev.py bench reliability`


@pytest.mark.parametrize("number", range(GRAPHS))
def test_the_key_of_a_setup_changes_exactly_with_what_is_sampled(host, number, monkeypatch, tmp_path):
    generating = Generating(host, tmp_path)
    with generating:
        found = generating.cases(number, CHANGES)
    assert found["changed"] >= CHANGES - 3 and not found["wrong"], found["wrong"]
