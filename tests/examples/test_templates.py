"""In every workflow template of the host that samples pictures or videos on this machine, the prompt is found, or the
node says what to do; it is never another text.

Every text in the list of outcomes was read by a person, beside the template that it came from. `dev.py test
--templates` tries all of them; else those that are executed, and those where no text is found.
"""

import json
import os
import time
from collections import Counter
from hashlib import blake2b

import pytest
from noise_search.tests.examples.templates import ALL, REVIEWED, exported, sample, sites, swapped, versions

SWITCH = "NOISE_SEARCH_WRITE_TEMPLATE_PROMPTS"
# Nodes of the host that write texts, and those of other packs, which the page knows no kind of.
WRITERS = {"TextGenerate", "TextGenerateLTX2Prompt", "GeminiNode", "WanDancerEncodeAudio", None}
ONE_TEXT = {"hidream_e1_1", "video_ltx2_t2v_distilled"}  # connected to both sides in the template itself


EVERY = ALL or bool(os.environ.get(SWITCH))


@pytest.fixture(scope="module")
def reviewed():
    return json.loads(REVIEWED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def prompts(browser, tmp_path_factory):
    return exported(browser, tmp_path_factory.mktemp("templates"), None if EVERY else sample())


@pytest.fixture(scope="module")
def tracing(whole_host):
    return whole_host.part("nodes.host.graph.prompt_text")


@pytest.fixture(scope="module")
def found(prompts, tracing):
    """What the nodes read, by sampler."""
    return {site: tracing.trace_prompt(*swapped(site)) for site in map(Named, sites(prompts))}


class Named:
    """A site that can be a key."""

    def __init__(self, site):
        self.template, self.node, self.prompt = site


def outcome(traced):
    """What was found, without its words."""
    if traced.text.strip():
        text = f"text {blake2b(traced.text.encode(), digest_size=4).hexdigest()}"
    elif traced.socket:
        text = f"connect {traced.socket.node} {traced.socket.slot}"
    else:
        text = "empty" if "is empty" in traced.problem else "no text"
    return text + (", an order" if traced.edits else "")


def by_template(found):
    listed = {}
    for site, traced in found.items():
        listed.setdefault(site.template, {})[site.node] = outcome(traced)
    return listed


def test_every_prompt_is_the_one_that_a_person_found(found, prompts, reviewed):
    """`NOISE_SEARCH_WRITE_TEMPLATE_PROMPTS=1` writes the list for other templates, and shows the texts to be read."""
    if os.environ.get(SWITCH):
        for site, traced in found.items():
            print(f"{site.template} {site.node}: {traced.text or traced.problem}")
        written = {"versions": versions(), "outcomes": by_template(found)}
        REVIEWED.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        reviewed = written
    if reviewed["versions"] == versions():
        assert by_template(found) == {
            name: one for name, one in reviewed["outcomes"].items() if EVERY or name in prompts
        }
        assert len(found) >= 50


def test_no_prompt_is_the_text_of_the_negative_one(prompts, found, tracing):
    for site, traced in found.items():
        negative = {tracing.trace_prompt(site.prompt, name, "negative").text for name in site.prompt}
        if traced.text.strip() and site.template not in ONE_TEXT:
            assert traced.text not in negative, (site.template, site.node)


def test_nearly_every_prompt_is_found_or_can_be_connected(found):
    """Of all of them 8 are neither: 4 whose text is empty, and 4 that have none."""
    counts = Counter(outcome(traced).split()[0].rstrip(",") for traced in found.values())
    print(dict(counts))
    assert counts["empty"] + counts["no"] <= 8
    assert not EVERY or counts["text"] + counts["connect"] >= 225


def test_what_is_refused_comes_with_what_to_do(found):
    for traced in found.values():
        assert traced.text.strip() or traced.problem.endswith(("to prompt as well", "into prompt")), traced.problem


def test_the_named_socket_is_what_the_encoder_gets_and_a_model_writes_it(found):
    for site, traced in found.items():
        if traced.socket:
            link = [traced.socket.node, traced.socket.slot]
            assert link in site.prompt[traced.socket.reader]["inputs"].values()
            assert WRITERS & kinds_behind(site.prompt, traced.socket.node), (site.template, site.node)


def kinds_behind(prompt, node):
    waiting, seen = [node], set()
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += [str(value[0]) for value in prompt[name]["inputs"].values() if isinstance(value, list)]
    return {prompt[name]["class_type"] for name in seen}


def test_all_of_them_take_no_time(prompts, found, tracing):
    began = time.process_time()
    for site in sites(prompts):
        tracing.trace_prompt(*swapped(site))
    assert time.process_time() - began < 0.02 * len(found)
