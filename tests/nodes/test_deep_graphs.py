"""A workflow may be deep, and branch and join as often as it likes: nothing that walks through it gets slow."""

import time

import pytest

NODES = 2000
SECONDS = 0.05


def ladder(kind, first, second, begin, count=NODES, name="r", **others):
    """Nodes that each take the one before twice: as many paths as there are subsets of them."""
    before, graph = begin, {}
    for step in range(count):
        graph[f"{name}{step}"] = {"class_type": kind, "inputs": {first: before, second: before, **others}}
        before = [f"{name}{step}", 0]
    return graph, before


def quickest(work):
    """The best of some times, in seconds of this process: others use the machine as well."""
    times = []
    for _ in range(5):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


@pytest.fixture
def prompts(host):
    return host.part("nodes.host.graph.prompt_text")


@pytest.fixture
def combined():
    """Two thousand Conditioning (Combine) nodes in a row, before a Noise Search."""
    graph, last = ladder("ConditioningCombine", "conditioning_1", "conditioning_2", ["text", 0])
    text = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": "a red fox"}}
    search = {"class_type": "NoiseSearch", "inputs": {"positive": last, "negative": last}}
    return {"text": text, "search": search, **graph}


def test_the_prompt_behind_two_thousand_combined_conditionings_is_found_at_once(prompts, combined):
    assert prompts.trace_prompt(combined, "search", "positive").text == "a red fox"
    assert quickest(lambda: prompts.trace_prompt(combined, "search", "positive")) < SECONDS


def test_the_prompt_of_pictures_behind_two_thousand_blended_ones_is_found_at_once(prompts, combined):
    graph, last = ladder("ImageBlend", "image1", "image2", ["search", 1], name="blend")
    graph |= combined | {"score": {"class_type": "VerifierScore", "inputs": {"images": last}}}
    assert prompts.trace_prompt_of_pictures(graph, "score", "images").text == "a red fox"
    assert quickest(lambda: prompts.trace_prompt_of_pictures(graph, "score", "images")) < 2 * SECONDS


def test_a_text_that_two_thousand_nodes_hand_on_is_found_at_once(prompts):
    graph, last = ladder("StringConcatenate", "string_a", "delimiter", ["typed", 0], string_b="")
    for node in graph.values():
        node["inputs"]["delimiter"] = ""
    graph["typed"] = {"class_type": "PrimitiveString", "inputs": {"value": "a red fox"}}
    graph["text"] = {"class_type": "CLIPTextEncode", "inputs": {"text": last}}
    graph["search"] = {"class_type": "NoiseSearch", "inputs": {"positive": ["text", 0]}}
    assert prompts.trace_prompt(graph, "search", "positive").text == "a red fox"
    assert quickest(lambda: prompts.trace_prompt(graph, "search", "positive")) < SECONDS


def test_a_text_that_doubles_with_every_node_is_not_written_out(prompts):
    graph, last = ladder("StringConcatenate", "string_a", "string_b", ["typed", 0], count=60, delimiter="")
    graph["typed"] = {"class_type": "PrimitiveString", "inputs": {"value": "fox "}}
    graph["text"] = {"class_type": "CLIPTextEncode", "inputs": {"text": last}}
    graph["search"] = {"class_type": "NoiseSearch", "inputs": {"positive": ["text", 0]}}
    found = prompts.trace_prompt(graph, "search", "positive")
    assert found.text == ""
    assert "connect" in found.problem


@pytest.mark.parametrize(
    "inputs",
    [
        {"string": "a" * 90_000, "find": "a", "replace": "b" * 90_000},
        {"string": "a" * 90_000, "find": "", "replace": "b" * 90_000},
    ],
)
def test_a_replacement_that_would_fill_the_memory_is_not_made(prompts, inputs):
    graph = {
        "long": {"class_type": "StringReplace", "inputs": inputs},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"text": ["long", 0]}},
        "search": {"class_type": "NoiseSearch", "inputs": {"positive": ["text", 0]}},
    }
    assert prompts.trace_prompt(graph, "search", "positive").text == ""
    graph["long"] = {
        "class_type": "RegexReplace",
        "inputs": {"string": inputs["string"], "regex_pattern": inputs["find"], "replace": inputs["replace"]},
    }
    assert prompts.trace_prompt(graph, "search", "positive").text == ""


def test_what_is_upstream_of_two_thousand_nodes_is_told_at_once(host, combined):
    upstream = host.part("nodes.host.graph.upstream")
    assert len(upstream.ancestry(combined, "search")) == NODES + 2
    assert quickest(lambda: upstream.ancestry(combined, "search")) < SECONDS
    assert quickest(lambda: upstream.lineage_digest(combined, "search")) < SECONDS


class Original:
    """The host's dynamic prompt, as far as rolling again asks for it."""

    def __init__(self, graph):
        self.graph = graph

    def get_node(self, name):
        return self.graph[name]


def test_pictures_behind_two_thousand_nodes_are_rolled_again_at_once(host):
    rolling = host.part("nodes.host.graph.rerolls").Rolling
    graph, last = ladder("ImageBlend", "image1", "image2", ["sampler", 0])
    graph["sampler"] = {"class_type": "KSampler", "inputs": {"seed": 5}}
    graph["pick"] = {"class_type": "HumanPick", "inputs": {"images": last}}
    copies, _ = rolling(Original(graph), "pick", ("images",)).copies(1, {})
    assert len(copies) == NODES + 2
    assert quickest(lambda: rolling(Original(graph), "pick", ("images",)).copies(1, {})) < 3 * SECONDS


class Copies(Original):
    """A loop's graph: every turn is a copy that the turn before has asked for."""

    def __init__(self, graph, turns):
        super().__init__(graph)
        self.ephemeral_parents = {f"turn{turn}": f"turn{turn - 1}" if turn else "loop" for turn in range(turns)}

    def has_node(self, name):
        return name in self.graph or name in self.ephemeral_parents

    def get_display_node_id(self, name):
        return "loop" if name in self.ephemeral_parents else name


def test_a_file_behind_a_loop_of_two_thousand_turns_knows_its_recipes_at_once(host):
    behind = host.part("nodes.host.graph.behind").Behind
    graph, last = ladder("ImageBlend", "image1", "image2", ["loop", 0], count=20)
    graph |= {
        "loop": {"class_type": "ImageInvert", "inputs": {}},
        "save": {"class_type": "SaveImage", "inputs": {"images": last}},
    }
    found = behind(Copies(graph, NODES), "save", lambda node: {})
    assert len(found.made) == NODES
    assert quickest(lambda: behind(Copies(graph, NODES), "save", lambda node: {})) < SECONDS
