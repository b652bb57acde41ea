"""A search under a budget of memory that holds one model at a time, kept by the host's own model management.

There is no second memory on a CPU, so the budget is pretended: models are loaded to the device cpu:0, which the host
takes for one that is not the cpu it offloads to, and its free memory is the budget less what the host's own books say
is loaded there. All decisions, loads and unloads are the host's; only the bytes stay where they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from noise_search.tests.nodes.test_verifier_nodes import keep, value
from noise_search.tests.verifiers.tiny_clip import TINY, make_clip

DEVICE = torch.device("cpu", 0)
BATCH, PICTURES = 2, 6


class Judge:
    """The first number of a CLIP tower's embedding."""

    columns = ("value",)

    def __init__(self, card, module):
        self.card, self.modules = card, (module,)
        self.before: Callable[[], None] = lambda: None

    def measure(self, images, prompt):
        self.before()
        return self.modules[0].encode_image(torch.nn.functional.interpolate(images, (28, 28)))[:, :1].float()

    def combine(self, pool):
        return pool[:, 0]

    def count_tokens(self, prompt):
        return None


@dataclass(eq=False)
class Device:
    """A device of a pretended size and what the host did with it.

    Args:
        patchers: All models, by name.
        room: Bytes for weights, besides what the host keeps free for computing.
        moved: ("load" or "unload", name, bytes) in order, by the host's own books.
    """

    patchers: dict
    room: float
    moved: list[tuple[str, str, int]] = field(default_factory=list)
    fullest: int = 0

    def loaded(self) -> dict[str, int]:
        return {name: patcher.loaded_size() for name, patcher in self.patchers.items()}

    def listed(self) -> list[str]:
        """Names in the host's list of loaded models that have weights on the device."""
        import comfy.model_management as memory

        held = [entry.model for entry in memory.current_loaded_models]
        return [
            name
            for name, patcher in self.patchers.items()
            if patcher in held and patcher.loaded_size() == patcher.model_size()
        ]

    def free(self, device=None, torch_free_too=False):
        import comfy.model_management as memory

        left = self.room + memory.minimum_inference_memory() - sum(self.loaded().values())
        return (left, left) if torch_free_too else left

    def counted(self, kind: str, original: Callable) -> Callable:
        def move(*arguments, **keywords):
            before = self.loaded()
            result = original(*arguments, **keywords)
            after = self.loaded()
            self.moved += [
                (kind, name, abs(size - before[name])) for name, size in after.items() if size != before[name]
            ]
            self.fullest = max(self.fullest, sum(after.values()))
            return result

        return move

    def rounds(self) -> list[list[tuple[str, str, int]]]:
        """What moved, from each loading of the diffusion model to the next."""
        starts = [place for place, (kind, name, _) in enumerate(self.moved) if (kind, name) == ("load", "model")]
        return [self.moved[start:end] for start, end in zip(starts, [*starts[1:], len(self.moved)])]


@pytest.fixture
def crowd(host, monkeypatch):
    """Diffusion model, VAE and three verifiers, none of them loaded, and the device that they are loaded to."""
    import comfy.model_management as memory

    host.call(memory.unload_all_models)
    monkeypatch.setattr(memory, "get_torch_device", lambda: DEVICE)
    model, vae, judges, verifiers = host.call(lambda: build(host))
    patchers = {"model": model, "vae": vae.patcher} | {
        judge.card.name: verifier.patcher for judge, verifier in zip(judges, verifiers)
    }
    device = Device(patchers, room=1.1 * max(patcher.model_size() for patcher in patchers.values()))
    real = memory.get_free_memory

    def free(where=None, *flags, **named):
        return (device.free if where == DEVICE else real)(where, *flags, **named)

    monkeypatch.setattr(memory, "get_free_memory", free)
    for kind, name in (("load", "model_load"), ("unload", "model_unload")):
        monkeypatch.setattr(memory.LoadedModel, name, device.counted(kind, getattr(memory.LoadedModel, name)))
    yield device, judges, search(host, model, vae, verifiers)
    host.call(lambda: memory.free_memory(1e30, DEVICE))


def build(host):
    import open_clip

    wrap, card = host.part("nodes.host.judges.host_verifier").HostVerifier, host.part("verifiers.base").Card
    wide = {**TINY, "vision_cfg": {**TINY["vision_cfg"], "width": 256, "layers": 3}}
    judges = [
        Judge(card(f"judge {index}", "", 1.0, prompt=False), make_clip(open_clip, wide, seed=index))
        for index in range(3)
    ]
    return diffusion(host), host.toys.vae.__wrapped__(), judges, [wrap(judge) for judge in judges]


def diffusion(host):
    import comfy.sd

    return comfy.sd.load_diffusion_model_state_dict(host.toys.sd3(depth=3))


def search(host, model, vae, verifiers: Sequence) -> dict:
    toys, inputs = host.toys, {}
    nodes = {**value(host, "model", model), **value(host, "vae", vae), **value(host, "latent", toys.latent("sd3"))}
    nodes |= {
        **value(host, "positive", toys.conditioning("sd3", 1)),
        **value(host, "negative", toys.conditioning("sd3", 2)),
    }
    for index, verifier in enumerate(verifiers):
        nodes |= value(host, f"verifier {index}", verifier)
        inputs[f"verifiers.verifier{index}"] = [f"verifier {index}", 0]
    links = {
        "model": ["model", 0],
        "positive": ["positive", 0],
        "negative": ["negative", 0],
        "latent_image": ["latent", 0],
        "vae": ["vae", 0],
    }
    settings = {
        "steps": 2,
        "cfg": 2.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
        "batch_size": BATCH,
    }
    budget = {"seed": 1, "pictures": PICTURES, "minutes": 0.0, "keep": 2}
    return {
        **nodes,
        "setup": {"class_type": "SamplingSetup", "inputs": {**links, **settings}},
        "judge": {"class_type": "EnsembleVerifier", "inputs": {**inputs, "combination": "z-score", "weights": ""}},
        "search": {
            "class_type": "RandomSearch",
            "inputs": {"sampling": ["setup", 0], "verifier": ["judge", 0], **budget},
        },
        **keep("search", 3, "score"),
    }


def test_where_one_model_fits_at_a_time_each_is_moved_in_and_out_once_per_round(host, crowd):
    device, judges, prompt = crowd
    seen = []
    for judge in judges:
        judge.before = lambda name=judge.card.name: seen.append((name, device.listed()))
    result = host.run(prompt)
    assert result.ok, result.error
    assert len(device.rounds()) == PICTURES // BATCH
    for moved in device.rounds():
        assert [name for kind, name, _ in moved if kind == "load"] == list(device.patchers)
        for name, patcher in device.patchers.items():
            out = sum(size for kind, who, size in moved if (kind, who) == ("unload", name))
            assert out <= patcher.model_size(), f"{name} was moved out more than once"
    assert device.fullest <= device.room
    assert seen == [(judge.card.name, [judge.card.name]) for judge in judges] * (PICTURES // BATCH)
    assert device.listed() == ["judge 2"]


def test_where_all_fit_nothing_is_moved_after_it_was_loaded(host, crowd):
    device, _, prompt = crowd
    device.room = 1.2 * sum(patcher.model_size() for patcher in device.patchers.values())
    result = host.run(prompt)
    assert result.ok, result.error
    assert [(kind, name) for kind, name, _ in device.moved] == [("load", name) for name in device.patchers]


def test_taking_turns_changes_no_score(host, crowd):
    device, _, prompt = crowd
    crowded = host.run(prompt)
    device.room = 1.2 * sum(patcher.model_size() for patcher in device.patchers.values())
    roomy = host.run(prompt)
    assert crowded.ok and roomy.ok, (crowded.error, roomy.error)
    assert crowded.kept["score"] == roomy.kept["score"]
