"""Something behind a search is changed, and what was kept is used again exactly where that changes nothing."""

from functools import partial

import pytest
import torch
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept, searched
from noise_search.tests.people import nodes as others
from noise_search.tests.people.test_lists import SETTINGS, VERIFIER, lora, run, value


def retrained(folder, text, name="style.safetensors"):
    """Writes the file anew, with the size and the time that it had."""
    import os

    path = folder / name
    before = path.stat() if path.exists() else None
    path.write_text(text)
    if before:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def loras(monkeypatch, tmp_path):
    import folder_paths

    folder = tmp_path / "loras"
    folder.mkdir()
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "loras", ([str(folder)], {".safetensors"}))
    monkeypatch.setitem(folder_paths.filename_list_cache, "loras", None)
    folder_paths.filename_list_cache.pop("loras")
    return folder


def loader(spec):
    return {
        "l": {"class_type": "PowerLoader", "inputs": {"model": ["1", 0], "spec": spec, "name": "style.safetensors"}}
    }


SPECS = {
    "a name": "style.safetensors",
    "a dict": {"on": True, "lora": "style.safetensors", "strength": 0.8},
    "a list": {"__value__": ["first", {"lora": "style.safetensors"}]},
    "a text": "masterpiece, <lora:style:0.8>, a cat\nand a dog",
}


@pytest.mark.parametrize("spec", SPECS)
def test_a_lora_that_was_retrained_under_its_name_is_sampled_anew(host, sampled, loras, spec):
    retrained(loras, "0.50")
    node = drop_in(**SETTINGS, model=["l", 0])
    before, _ = run(host, node, loader(SPECS[spec]))
    retrained(loras, "0.75")
    sampled.clear()
    after, _ = run(host, node, loader(SPECS[spec]))
    assert sum(sampled) == 3 and not torch.equal(before[0]["samples"], after[0]["samples"])
    sampled.clear()
    again, _ = run(host, node, loader(SPECS[spec]))
    assert sampled == [] and torch.equal(after[0]["samples"], again[0]["samples"])


def test_an_updated_node_pack_is_sampled_anew(host, sampled, monkeypatch):
    """The same class name and the same inputs, other code."""
    import nodes

    class Updated(others.GainPatch):
        def patch(self, model, gain):
            return (others.scaled(model, gain, factor=0.7),)

    patch = {"p": {"class_type": "GainPatch", "inputs": {"model": ["1", 0], "gain": 1.0}}}
    before, _ = run(host, drop_in(**SETTINGS, model=["p", 0]), patch)
    sampled.clear()
    monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, "GainPatch", Updated)
    after, _ = run(host, drop_in(**SETTINGS, model=["p", 0]), patch)
    assert sum(sampled) == 3 and not torch.equal(before[0]["samples"], after[0]["samples"])


def test_a_file_that_only_is_changed_knows_of_counts_with_and_without_the_hosts_cache(
    host, sampled, monkeypatch, tmp_path
):
    monkeypatch.setattr(others.ByFile, "PATH", tmp_path / "gain.txt")
    patch = {"p": {"class_type": "ByFile", "inputs": {"model": ["1", 0]}}}
    for cache in ("classic", "none", "lru"):
        scores = []
        for gain in ("1.00", "0.50"):
            (tmp_path / "gain.txt").write_text(gain)
            sampled.clear()
            monkeypatch.setattr(host, "cache", cache)
            scores.append(run(host, drop_in(**SETTINGS, model=["p", 0]), patch)[1][0])
        assert scores[0] != scores[1], cache


def test_a_node_that_always_changes_is_never_taken_for_the_same(host, sampled, monkeypatch, tmp_path):
    (tmp_path / "gain.txt").write_text("1")
    monkeypatch.setattr(others.ByFile, "PATH", tmp_path / "gain.txt")
    patch = {"p": {"class_type": "AlwaysNew", "inputs": {"model": ["1", 0]}}}
    for cache in ("classic", "none", "lru", "classic"):
        sampled.clear()
        monkeypatch.setattr(host, "cache", cache)
        run(host, drop_in(**SETTINGS, model=["p", 0]), patch)
        assert sum(sampled) == 3, cache


def test_knobs_and_kinds_of_searches_pay_for_nothing_that_is_there(host, sampled):
    """Go on with another search, other knobs, another batch size, a setup of its own instead of the drop-in: the noises
    are the same.
    """
    run(host, drop_in(**SETTINGS, patience=0))
    paid = []
    for graph in (
        drop_in(**SETTINGS, patience=5),
        drop_in(**SETTINGS, keep=2),
        searched(batch=3, pictures=3, verifier=["v", 0]),
        searched(batch=1, pictures=3, verifier=["v", 0]),
        searched("ZeroOrderSearch", pictures=3, neighbors=2, verifier=["v", 0]),
    ):
        sampled.clear()
        run(host, graph)
        paid.append(sum(sampled))
    assert paid[:4] == [0, 0, 0, 0] and paid[4] <= 2  # zero-order search shares the own seed with the others at least


def test_two_loops_that_differ_in_one_number_each_give_their_own_and_are_kept(host, sampled, nothing_kept, monkeypatch):
    """Nodes that run as copies of themselves: loops and expansions of other packs."""
    node = drop_in(**SETTINGS)["2"]["inputs"]
    monkeypatch.setattr(
        others.Times, "SEARCH", {name: one for name, one in node.items() if not isinstance(one, list) and name != "cfg"}
    )
    links = {name: node[name] for name in ("model", "positive", "negative", "latent_image", "vae", "verifier")}
    loop = {"1": drop_in()["1"], "2": {"class_type": "Times", "inputs": {**links, "cfgs": "1.5 3 6"}}}
    keep = {"kl": {"class_type": "ToyKeep", "inputs": {"value": ["2", 0], "name": "latents"}}}

    def looped():
        host.toys.VALUES["verifier"] = Brightness()
        result = host.run({**VERIFIER, **loop, **keep})
        assert result.ok, result.error
        return [latent["samples"] for latent in result.kept["latents"][0]]

    first = looped()
    assert sum(sampled) == 9
    sampled.clear()
    assert all(map(torch.equal, first, looped())) and sampled == []
    for cfg, latent in zip((1.5, 3.0, 6.0), first, strict=True):
        alone, _ = nothing_kept(partial(run, host, drop_in(**{**SETTINGS, "cfg": cfg})))
        assert torch.equal(latent, alone[0]["samples"])


def test_the_same_search_twice_in_one_prompt_is_paid_for_once(host, sampled):
    """Two instances of one subgraph, with the same inputs: copies of one node under other names."""
    graph = {**drop_in(**SETTINGS), "10:2": drop_in(**SETTINGS)["2"]}
    host.toys.VALUES["verifier"] = Brightness()
    other = {"other": {"class_type": "ToyKeep", "inputs": {"value": ["10:2", 0], "name": "other"}}}
    result = host.run({**VERIFIER, **graph, **kept("2", "latent"), **other})
    assert result.ok, result.error
    assert sum(sampled) == 3 and torch.equal(result.kept["latent"][0]["samples"], result.kept["other"][0]["samples"])


def test_a_mask_of_the_verifier_that_a_node_moved_is_judged_anew(host, sampled):
    scores = []
    host.toys.VALUES["large"] = {"samples": torch.zeros(1, 16, 16, 16)}
    for side in (slice(0, 20), slice(90, 120)):
        mask = torch.zeros(1, 128, 128)
        mask[:, side, side] = 1
        host.toys.VALUES["mask"] = mask
        settings = {
            "w": {
                "class_type": "VerifierSettings",
                "inputs": {
                    "verifier": ["sharp", 0],
                    "mask": ["mask", 0],
                    "weight": 1.0,
                    "gate": False,
                    "floor": 0.0,
                    "prompt": "",
                },
            }
        }
        sharp = {"sharp": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}}}
        scores.append(
            run(
                host,
                drop_in(**{**SETTINGS, "verifier": ["w", 0], "latent_image": ["large", 0]}),
                value("large"),
                value("mask"),
                sharp,
                settings,
            )[1][0]
        )
    assert scores[0] != scores[1] and sum(sampled) == 3


def test_a_judge_that_does_not_say_what_it_depends_on_judges_anew_and_the_node_says_so(host, sampled):
    class Silent(Brightness):
        key = None
        judged = 0

        def measure(self, images, prompt):
            Silent.judged += len(images)
            return super().measure(images, prompt)

    for _ in range(2):
        host.toys.VALUES["verifier"] = Silent()
        result = host.run({**VERIFIER, **drop_in(**SETTINGS), **kept("2", "score")})
        assert result.ok, result.error
    assert Silent.judged == 6 and sum(sampled) == 3
    assert result.outputs["2"]["text"][0].count("does not say what they depend on") == 1


def test_a_lora_stronger_by_hand_in_a_value_that_no_widget_shows_counts(host, sampled):
    """Equal graphs, other objects: what arrives is looked at, not only what was named."""
    scores = []
    for strength in (0.25, 1.0):
        host.toys.VALUES["m"] = lora(host, strength)
        scores.append(run(host, drop_in(**SETTINGS, model=["m", 0]), value("m"))[1][0])
    assert scores[0] != scores[1] and sum(sampled) == 6


def test_another_scale_of_the_preview_or_the_vae_is_judged_anew_and_not_sampled(host, sampled):
    """The same latents through another VAE are other pictures."""
    import copy

    vae = host.toys.vae(16)
    other = copy.copy(vae)
    other.patcher = vae.patcher.clone()
    name = next(iter(vae.first_stage_model.state_dict()))
    other.patcher.add_patches(
        {name: ("diff", (torch.ones_like(vae.first_stage_model.state_dict()[name]) * 0.05,))}, 1.0
    )
    counts = []
    for one in (vae, other, vae):
        host.toys.VALUES["vae"] = one
        judge = Counted()
        host.toys.VALUES["verifier"] = judge
        result = host.run({**VERIFIER, **drop_in(**SETTINGS, vae=["vae", 0]), **value("vae"), **kept("2", "score")})
        assert result.ok, result.error
        counts.append(judge.judged)
    assert counts == [3, 3, 0] and sum(sampled) == 3


class Counted(Brightness):
    def __init__(self):
        self.judged = 0

    def measure(self, images, prompt):
        self.judged += len(images)
        return super().measure(images, prompt)


class Duel(Counted):
    """Compares two pictures by the picture that comes later in the alphabet of its mood, and counts."""

    def __init__(self, mood):
        super().__init__()
        self.mood, self.compared, self.compares = mood, 0, True

    def compare(self, images_a, images_b, prompt, question=""):
        self.compared += len(images_a)
        return ((images_a - images_b).flatten(1).mean(1) * self.mood > 0).float()

    def key(self):
        return "duel"


def test_a_final_that_was_held_is_not_held_again_and_its_winner_stays(host, sampled):
    """Whatever mood its judge is in by now. Before, resumed runs paid for it anew, and the winner changed with the
    judge.
    """
    final = {
        "f": {
            "class_type": "PairwiseFinal",
            "inputs": {"verifier": ["sharp", 0], "judge": ["duel", 0], "finalists": 3, "question": ""},
        },
        "sharp": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}},
    }
    scores, compared = [], []
    for mood in (1, -1):
        host.toys.VALUES["duel"] = Duel(mood)
        scores.append(
            run(host, drop_in(**{**SETTINGS, "verifier": ["f", 0]}, prompt="a cat"), value("duel"), final)[1][0]
        )
        compared.append(host.toys.VALUES["duel"].compared)
    assert scores[0] == scores[1] and compared[0] > 0 and compared[1] == 0 and sum(sampled) == 3
