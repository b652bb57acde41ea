"""What the identity of a search is made of, part by part."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch


@pytest.mark.parametrize(
    "text", [".", "..", "/", "./", " . ", "\\", "a/../..", "../../etc", "\\\\host\\share\\x", "//host/share/x"]
)
def test_a_widget_that_says_a_dot_or_a_slash_or_another_machine_names_no_file(host, text):
    assert list(host.part("nodes.host.store.identity.files").named_in(text)) == []


def test_nothing_is_asked_of_another_machine(host, monkeypatch):
    """Looking at a path of another machine would tell it who asks."""
    asked = []
    monkeypatch.setattr(
        os, "stat", lambda path, *rest, **options: asked.append(str(path)) or (_ for _ in ()).throw(OSError())
    )
    monkeypatch.setattr(os.path, "isfile", lambda path: asked.append(str(path)) or False)
    monkeypatch.setattr(os.path, "isdir", lambda path: asked.append(str(path)) or False)
    list(host.part("nodes.host.store.identity.files").as_a_whole("\\\\host\\share\\x"))
    assert not any("host" in path and "share" in path for path in asked)


def test_a_folder_that_a_widget_names_is_known_by_its_files(host, folder):
    named_in = host.part("nodes.host.store.identity.files").named_in
    (folder / "clip").mkdir()
    (folder / "clip" / "a.bin").write_bytes(b"one")
    before = list(named_in("clip"))
    (folder / "clip" / "a.bin").write_bytes(b"other")
    assert before != list(named_in("clip")) and before[0][:2] == ["a.bin", 3]


def test_a_file_of_the_same_size_and_time_is_another_one(host, tmp_path):
    facts = host.part("nodes.host.store.identity.files").facts
    for name, data in (("a", b"one"), ("b", b"two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.bin").write_bytes(data)
        os.utime(tmp_path / name / "x.bin", ns=(0, 0))
    assert facts(str(tmp_path / "a" / "x.bin")) != facts(str(tmp_path / "b" / "x.bin"))


def test_switches_of_the_host_are_the_same_under_another_hash_seed(host):
    """`--fast` is a set, whose order is another one in every process."""
    plain = host.part("nodes.host.store.identity.surroundings").plain
    assert plain({"fp16_accumulation", "cublas_ops", "autotune"}) == plain(
        {"autotune", "cublas_ops", "fp16_accumulation"}
    )
    code = "print(sorted({'fp16_accumulation', 'cublas_ops', 'autotune'}) == eval(PLAIN))".replace(
        "PLAIN", repr(plain({"fp16_accumulation", "cublas_ops", "autotune"}))
    )
    for seed in ("1", "2", "3"):
        said = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        assert said.strip() == "True"


def test_switches_that_no_picture_depends_on_do_not_count_and_all_others_do(host, monkeypatch):
    from comfy.cli_args import args

    surroundings = host.part("nodes.host.store.identity.surroundings").surroundings
    before = surroundings()
    for name, value in (("port", 9999), ("output_directory", "elsewhere"), ("cache_lru", 3), ("preview_size", 7)):
        monkeypatch.setattr(args, name, value)
    assert surroundings() == before
    for name, value in (
        ("dont_upcast_attention", True),
        ("disable_xformers", True),
        ("force_fp16", True),
        ("some_switch_of_tomorrow", True),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(args, name, value, raising=False)
            assert surroundings() != before, name


def test_a_mark_with_nan_anywhere_in_it_never_comes_again(host):
    changing = host.part("nodes.host.store.identity.lineage").changing
    nan = float("nan")
    for mark in (nan, [nan], [(nan, 1)], {"a": [nan]}):
        assert changing(mark) != changing(mark)
    assert changing([("x", 1.0)]) == [("x", 1.0)]


class Graph:
    """A prompt in the shape of the host's dynamic prompt."""

    def __init__(self, entries):
        self.entries = entries

    def get_node(self, name):
        return self.entries[name]

    def get_original_prompt(self):
        return self.entries

    def get_display_node_id(self, name):
        return name


def chain(length):
    first = {"0": {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}}}
    return {
        **first,
        **{
            str(place): {
                "class_type": "LatentUpscaleBy",
                "inputs": {"samples": [str(place - 1), 3], "upscale_method": "bislerp", "scale_by": 1.5},
            }
            for place in range(1, length)
        },
    }


def test_a_chain_of_thousands_of_nodes_is_walked_once(host):
    """Before, some 330 nodes behind a search failed it."""
    lineage = host.part("nodes.host.store.identity.lineage").Lineage
    long, other = chain(3000), chain(3000)
    other["1"]["inputs"]["scale_by"] = 2.0
    ends = [lineage(Graph(graph)).of("2999") for graph in (long, other, chain(3000))]
    assert ends[0] != ends[1] and ends[0] == ends[2]


def test_names_of_nodes_do_not_count(host):
    lineage = host.part("nodes.host.store.identity.lineage").Lineage
    renamed = {
        f"x.{name}": {
            **entry,
            "inputs": {
                key: [f"x.{one[0]}", one[1]] if isinstance(one, list) else one for key, one in entry["inputs"].items()
            },
        }
        for name, entry in chain(4).items()
    }
    assert lineage(Graph(chain(4))).of("3") == lineage(Graph(renamed)).of("x.3")


CONTENTS = {
    "a number": (1, 2),
    "a whole number and a float": (1, 1.0),
    "true and one": (True, 1),
    "a text": ("a", "b"),
    "a list": ([1, 2], [2, 1]),
    "nesting": ([[1], 2], [1, [2]]),
    "a key": ({"a": 1}, {"b": 1}),
    "a tensor": (torch.zeros(2), torch.ones(2)),
    "a shape": (torch.zeros(2, 1), torch.zeros(1, 2)),
    "a type": (torch.zeros(2), torch.zeros(2).double()),
    "a set": ({1, 2}, {1, 3}),
    "what a function was made with": ((lambda x: lambda: x)(1), (lambda x: lambda: x)(2)),
    "what a function does": (lambda: 1, lambda: 2),
    "what an object holds": (SimpleNamespace(a=1), SimpleNamespace(a=2)),
    "a weight": (torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_another_content_has_another_digest_and_the_same_one_the_same(host, what):
    digest = host.part("nodes.host.store.identity.contents").digest
    one, other = CONTENTS[what]
    assert digest(one) != digest(other) and digest(one) == digest(one)


def test_mappings_and_sets_are_the_same_in_any_order_and_circles_end(host):
    digest = host.part("nodes.host.store.identity.contents").digest
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) and digest({"x", "y", "z"}) == digest({"z", "y", "x"})
    circle, other = [1], [1]
    circle.append(circle)
    other.append(other)
    assert digest(circle) == digest(other)


def test_what_has_no_end_is_said_to_be_unknown(host):
    contents = host.part("nodes.host.store.identity.contents")
    with pytest.raises(contents.Unknown, match="more than"):
        contents.digest([str(number) for number in range(contents.MOST + 1)])


def test_strength_and_weights_of_patches_count_and_what_loading_leaves_on_a_model_does_not(host):
    digest, model = host.part("nodes.host.store.identity.contents").digest, host.toys.model("sd3")
    name = "diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"
    shape = model.model.state_dict()[name].shape

    def patched(strength, value):
        one = model.clone()
        one.add_patches({name: ("diff", (torch.full(shape, value),))}, strength)
        return one

    assert (
        len({digest(patched(strength, value)) for strength in (0.5, 1.0) for value in (0.1, 0.2)} | {digest(model)})
        == 5
    )
    one = patched(0.5, 0.1)
    before = digest(one)
    import comfy.model_management as memory

    host.call(memory.load_models_gpu, [one])
    assert digest(one) == before == digest(patched(0.5, 0.1))


def test_code_in_memory_counts_without_the_place_where_it_stands(host):
    code_of = host.part("nodes.host.store.identity.installed").code_of
    made = {}
    for name, text in {
        "a": "def f(x):\n    return x in {1, 2, 3}",
        "moved": "\n\n\ndef f(x):\n    return x in {3, 2, 1}",
        "b": "def f(x):\n    return x in {1, 2, 4}",
    }.items():
        scope = {}
        exec(text, scope)
        made[name] = code_of(scope["f"].__code__)
    assert made["a"] == made["moved"] != made["b"]


def test_files_of_a_pack_count_with_all_that_is_in_them_and_a_change_after_the_start_is_nobody_elses(
    host, tmp_path, monkeypatch
):
    installed = host.part("nodes.host.store.identity.installed")
    (tmp_path / "pack").mkdir()
    for name, text in (("a.py", "X = 1"), ("b.py", "Y = 1")):
        (tmp_path / "pack" / name).write_text(text)
    assert installed.of_files.__wrapped__(tmp_path / "pack") == installed.LATER, "written after this process began"
    monkeypatch.setattr(installed, "LOADED", 1e12)
    before = installed.of_files.__wrapped__(tmp_path / "pack")
    (tmp_path / "pack" / "b.py").write_text("Y = 2")
    assert before != installed.of_files.__wrapped__(tmp_path / "pack")


def test_of_our_own_folder_only_what_samples_counts(host):
    installed = host.part("nodes.host.store.identity.installed")
    counted = {os.path.relpath(path, installed.OURS).split(os.sep)[0] for path in installed.code_in(installed.OURS)}
    assert counted == {"__init__.py", "nodes", "search", "verifiers"}


def test_pictures_that_a_verifier_compares_with_count_whatever_made_them(host):
    focus, technical = (host.part(name) for name in ("verifiers.focus", "verifiers.technical"))
    found = []
    for value in (0.25, 0.5, 0.5):
        judge = technical.Technical("sharpness")
        judge.references = [torch.full((1, 8, 8, 3), value)]
        found.append(focus.Adjusted(judge, weight=2.0).key())
    assert found[0] != found[1] == found[2] != ""


def test_weights_of_judges_in_an_ensemble_rank_and_do_not_measure(host):
    ensemble, technical = host.part("verifiers.ensemble"), host.part("verifiers.technical")
    members = [technical.Technical("sharpness"), technical.Technical("contrast")]
    one, other = ensemble.Ensemble(members, [1, 2]), ensemble.Ensemble(members, [2, 1], "z-score")
    assert one.key() == other.key() != ensemble.Ensemble(members[::-1]).key()
