"""API prompts around one search on a toy model, toy judges, and what came of running them."""

from types import SimpleNamespace

MODEL = {"class_type": "ToyModel", "inputs": {"family": "sd3", "batch": 1}}
SOURCES = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 2], "latent_image": ["1", 3], "vae": ["1", 4]}
KSAMPLER = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
BUDGET = {"seed": 5, "pictures": 6, "minutes": 0.0, "keep": 1}
ZERO_ORDER = {"preset": "adaptive", "neighbors": 4, "similarity": 0.95}
OUTPUTS = ("latent", "image", "seed", "score", "noise", "recipe", "trace")


class Brightness:
    """Judges by the mean pixel, the way the host's verifiers are called."""

    columns = ("brightness",)
    card = SimpleNamespace(name="brightness", prompt=False, token_limit=None, spread=1.0, range="0 to 1", cost="light")

    def measure(self, images, prompt):
        return images.flatten(1).mean(1, keepdim=True).float()

    def combine(self, pool):
        return pool[:, 0]

    def count_tokens(self, prompt):
        return None

    def key(self):
        return type(self).__name__


class Ranked(Brightness):
    """Combines over the pool, so that every new candidate moves the scores of all others."""

    def combine(self, pool):
        return (pool[:, :1] >= pool[:, 0]).double().mean(1)


def kept(node, *names):
    """Nodes that keep the outputs of `node` for the test to look at."""
    slots = {name: OUTPUTS.index(name) for name in names or OUTPUTS}
    return {
        f"k{name}": {"class_type": "ToyKeep", "inputs": {"value": [node, slot], "name": name}}
        for name, slot in slots.items()
    }


def drop_in(**inputs):
    return {"1": MODEL, "2": {"class_type": "NoiseSearch", "inputs": {**SOURCES, **KSAMPLER, **BUDGET, **inputs}}}


def searched(kind="RandomSearch", model=MODEL, batch=2, sampler="euler", **inputs):
    """A sampling setup "s" and a search node "2" behind it, judged by "v"."""
    setup = {
        "class_type": "SamplingSetup",
        "inputs": {**SOURCES, **KSAMPLER, "sampler_name": sampler, "batch_size": batch},
    }
    knobs = ZERO_ORDER if kind == "ZeroOrderSearch" else {}
    search = {"class_type": kind, "inputs": {"sampling": ["s", 0], "verifier": ["v", 0], **BUDGET, **knobs, **inputs}}
    return {"1": model, "s": setup, "2": search}


def run(host, *parts):
    result = host.run({name: node for part in parts for name, node in part.items()})
    assert result.ok, result.error
    return SimpleNamespace(
        **{name: values[0] if len(values) == 1 else values for name, values in result.kept.items()},
        ui=result.outputs,
        result=result,
    )


def refused(host, *parts):
    result = host.run({name: node for part in parts for name, node in part.items()})
    assert not result.ok
    return result.error


def blocked(host, *parts):
    """What the host says at a node that hangs on a blocked output; the rest of the prompt runs."""
    result = host.run({name: node for part in parts for name, node in part.items()})
    (error,) = result.named("execution_error")
    return error["exception_message"]
