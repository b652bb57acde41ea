"""Every family of the host's models through the searches: what works is right, and what does not is refused with a
reason.
"""

import os
from pathlib import Path

import pytest
from noise_search.tests.card import VARIABLE, rounding
from noise_search.tests.families.matrix import FAMILIES, NOT_SAMPLED, SEARCHES, Prompts, far, streams, table

PAGE = Path(__file__).parents[2] / "docs" / "families.md"
# The host's own KSampler fails with it where a model is loaded in parts: a plain embedding stays on the CPU.
NOT_IN_PARTS = "SD x4 Upscaler" if os.environ.get(VARIABLE) == "small" else ""
README = Path(__file__).parents[2] / "README.md"


def same(prompts):
    """What batching and cutting change in four steps, as a share of the largest value."""
    return rounding(2e-4, dtype=prompts.parts.model.model.get_dtype())


@pytest.fixture(scope="module")
def outcomes(host):
    """Why each (family, search) was refused, "" where it works; filled by the tests of the families."""
    return {}


@pytest.mark.parametrize("one", FAMILIES, ids=lambda one: one.name)
def test_a_family_is_searched_exactly_or_refused_before_anything_is_sampled(host, outcomes, one):
    prompts = Prompts(host, one)
    if one.name == NOT_IN_PARTS:
        with pytest.raises(AssertionError, match=r"node stock \(KSampler\).*embedding"):
            prompts.stock()
        pytest.skip(f"{one.name} fails in the host's own KSampler on this card")
    for search in SEARCHES:
        found = prompts.outcome(search)
        outcomes[one.name, search] = found.refused
        if found.refused:
            continue
        latent = found.kept["latent"]["samples"]
        shapes = (one.decoded,) if one.decoded else one.shapes
        assert [part.shape for part in streams(latent)] == [(1, *shape) for shape in shapes], search
        assert all(part.isfinite().all() for part in streams(latent)), search
        assert found.kept["score"] == pytest.approx(found.kept["image"].mean().item(), abs=1e-5), search
        assert found.kept["score"] >= found.kept["trace"].scores[0], search  # the own seed's
        assert far(found.kept["replayed"]["samples"], latent) < same(prompts), search
    if not outcomes[one.name, "NoiseSearch"]:
        assert far(*prompts.stock()) < same(prompts)


def test_the_page_of_the_documentation_says_what_was_found(outcomes, host):
    import nodes

    if NOT_IN_PARTS:
        pytest.skip(f"{NOT_IN_PARTS} fails in the host's own KSampler on this card")
    for one in FAMILIES:  # those that no test above ran, where this one is run alone
        if (one.name, "NoiseSearch") not in outcomes:
            prompts = Prompts(host, one)
            outcomes |= {(one.name, search): prompts.outcome(search, replayed=False).refused for search in SEARCHES}
    found = table(outcomes, lambda search: nodes.NODE_DISPLAY_NAME_MAPPINGS[search])
    if os.environ.get("NOISE_SEARCH_WRITE_DOCS"):
        PAGE.write_text(found)
    assert PAGE.read_text() == found, "docs/families.md is out of date: its first lines say how to write it anew"
    works = sum(not any(outcomes[one.name, search] for search in SEARCHES) for one in FAMILIES)
    said = f"({len(FAMILIES)} variants: ", f": {works} work in all four"
    assert all(one in README.read_text(encoding="utf-8") for one in said), "the README must say how many work"


def test_no_class_of_the_host_is_forgotten(host):
    import comfy.supported_models

    listed = {name for one in FAMILIES for name in (one.config, *one.like)} | set(NOT_SAMPLED)
    assert {known.__name__ for known in comfy.supported_models.models} <= listed
