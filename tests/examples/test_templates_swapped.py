"""ComfyUI's own workflow templates with "Search its noise" pressed for all of each: what is exported is the same but
for what was swapped, undo and redo are exact, and so is "To KSampler".

`dev.py test --templates` tries all of them; else those that are executed, and those where no text is found.
"""

from collections import Counter

import pytest
from noise_search.tests.examples.swapped import swapped_templates
from noise_search.tests.examples.templates import ALL, SAMPLERS, Site, draws_noise, sample, shows_pictures
from noise_search.tests.examples.twins import custom, drop_in, follower, two_guiders, two_models, two_stages

SEARCHES = ("NoiseSearch", "RandomSearch")
# What a setup of ours does itself, with the nodes that only it needed.
REPLACED = {*SAMPLERS, "RandomNoise", "DisableNoise", "LTXVLatentUpsampler", "LTXVImgToVideoInplace"}
REPLACED |= {"LTXVCropGuides", "LTXVSeparateAVLatent", "LTXVConcatAVLatent"}
OWN = ("pictures", "minutes", "keep", "vae", "prompt")  # what a sampler says nothing of


@pytest.fixture(scope="module")
def found(browser, tmp_path_factory):
    swapped = swapped_templates(browser, tmp_path_factory.mktemp("templates"), None if ALL else sample())
    return {name: one for name, one in swapped.items() if one["made"] or one["refused"]}


def kinds(prompt):
    return {name: node.get("class_type") for name, node in prompt.items()}


def searches(one):
    return {name: node for name, node in one["after"].items() if node.get("class_type") in SEARCHES}


def test_undo_and_redo_are_exact_and_one_step(found):
    for name, one in found.items():
        assert one["undone"] == one["before"] and one["redone"] == one["after"], name
        assert one["steps"] == (1 if one["made"] else 0), name


def test_every_sampler_is_swapped_or_said_to_stay(found):
    counts = Counter()
    for name, one in found.items():
        left = [kind for kind in kinds(one["after"]).values() if kind in SAMPLERS]
        assert len(left) <= len(one["refused"]) + len(one["notes"]), name
        counts.update(searched=len(searches(one)), stays=len(left), templates=1)
        counts.update(kind for kind in kinds(one["after"]).values() if "SamplingSetup" in str(kind))
    print(dict(counts))
    assert counts["searched"] >= (220 if ALL else 60)


def test_what_was_not_swapped_is_exported_as_before_link_by_link(found):
    for name, one in found.items():
        before, after = one["before"], one["after"]
        gone = {node for node in before if node not in after or kinds(after)[node] != kinds(before)[node]}
        assert {kinds(before)[node] for node in gone} <= REPLACED, name
        for node in before.keys() - gone:
            for key, value in before[node].get("inputs", {}).items():
                assert same(after[node]["inputs"][key], value, gone, searches(one)), (name, node, key)


def same(now, then, gone, found):
    """Whether an input is as it was, or reads a search, or what goes into one, in the place of a sampler."""
    if now == then:
        return True
    was_sampled = isinstance(then, list) and then[0] in gone and isinstance(now, list)
    return was_sampled and (now[0] in found or now[0] not in gone)


def test_every_search_has_what_its_sampler_had(found):
    """What the executed templates have, which give the template's own picture: test_templates_executed.py."""
    compared = Counter()
    for name, one in found.items():
        for node in searches(one):
            wanted = ours_for(Site(name, node, one["before"]))
            compare(one["after"], node, wanted, "ours", (name, node))
            compared[wanted.get("our setup", wanted["ours"])["class_type"]] += 1
    print(dict(compared))
    assert len(compared) >= 4 + ALL  # kinds of nodes; two guiders are not in the sample


def ours_for(site):
    """The nodes in the place of a sampler, with "ours" for the search."""
    given, later = site.prompt[site.node], follower(site)
    slot = min(read_slots(site.prompt, site.node), default=0)
    if given["class_type"] == "KSampler":
        return drop_in(site.prompt, site.node, slot)
    if given["class_type"] == "KSamplerAdvanced":
        return two_models(site.prompt, site.node, later, 0, 0)
    if later is None:
        return custom(site.prompt, site.node, slot)
    last = min(read_slots(site.prompt, later), default=0)
    swap = two_stages if draws_noise(site.prompt, site.prompt[later]) else two_guiders
    return swap(site.prompt, site.node, later, slot, last)


def read_slots(prompt, name):
    values = [value for node in prompt.values() for value in node.get("inputs", {}).values()]
    return [value[1] for value in values if isinstance(value, list) and len(value) == 2 and value[0] == name]


def compare(after, name, wanted, key, where):
    """Asserts that a node has the class and the inputs of another one, and what of ours is behind them as well."""
    assert after[name]["class_type"] == wanted[key]["class_type"], where
    for entry, value in wanted[key]["inputs"].items():
        if entry in OWN:
            continue
        now = after[name]["inputs"].get(entry)
        if isinstance(value, list) and value[0] in wanted and value[0].startswith("our"):
            compare(after, now[0], wanted, value[0], (*where, entry))
        else:
            assert now == value, (*where, entry)


def test_every_setup_decodes_with_the_vae_of_the_pictures(found):
    for name, one in found.items():
        for node in one["after"].values():
            if "vae" in node.get("inputs", {}) and node["class_type"].startswith(("NoiseSearch", "SamplingSetup")):
                assert isinstance(node["inputs"]["vae"], list), name
                loader = one["after"][node["inputs"]["vae"][0]]
                assert "audio" not in str(loader["inputs"]).lower() or loader["class_type"] != "VAELoader", name


def test_nothing_that_makes_pictures_is_refused(found):
    for name, one in found.items():
        swapped = set(searches(one))
        for node, entry in one["before"].items():
            if entry.get("class_type") not in SAMPLERS or node in swapped or node not in one["after"]:
                continue
            pictures = shows_pictures(one["before"], node) and draws_noise(one["before"], entry)
            assert not pictures or one["notes"] or "Stable Video" in str(one["refused"]), (name, node)


def test_to_ksampler_is_the_exact_way_back(found):
    exact = 0
    for name, one in found.items():
        if set(one["made"]) == {"NoiseSearch"}:
            assert one["back"] == one["before"], name
            exact += 1
    assert exact >= (100 if ALL else 20)
