"""Nodes that make candidates for any graph of stock nodes."""

from comfy_api.latest import io

from ..search import recipe as recipes
from ..search.noise import SeedStream, fresh
from .host.engine.outputs import plain_seed
from .host.setup.noise import CandidateNoise, RecipeNoise, VariedNoise, host_seed
from .host.setup.rowwise import per_row
from .sockets import CATEGORY

SEED_LIMIT = 0xFFFFFFFFFFFFFFFF


class NoiseCandidatesNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NoiseCandidates",
            display_name="Noise Candidates",
            category=CATEGORY,
            description=(
                "Several fresh noises. Use NOISE with SamplerCustomAdvanced and a latent batch of the same size, or "
                "connect seeds to a KSampler: the host runs it, and all that follows, once per seed."
            ),
            search_aliases=["seed list", "random seeds", "best of n", "batch seeds", "xy plot", "reroll"],
            inputs=[
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=SEED_LIMIT,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="The first candidate, and where the others come from.",
                ),
                io.Int.Input("count", default=4, min=1, max=4096, tooltip="How many candidates."),
            ],
            outputs=[io.Noise.Output(display_name="NOISE"), io.Int.Output(display_name="seeds", is_output_list=True)],
        )

    @classmethod
    def execute(cls, seed, count) -> io.NodeOutput:
        seed = host_seed(seed)
        stream = SeedStream(seed)
        seeds = [seed, *(next(stream) for _ in range(count - 1))]
        return io.NodeOutput(CandidateNoise([fresh(value) for value in seeds]), seeds)


class NoiseVariationsNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NoiseVariations",
            display_name="Noise Variations",
            category=CATEGORY,
            description="Several noises near one: pictures like this one, with other details.",
            search_aliases=["variation seed", "subseed", "vary", "variation"],
            inputs=[
                io.Noise.Input("noise", tooltip="Its first noise is varied."),
                io.Int.Input(
                    "seed", default=0, min=0, max=SEED_LIMIT, control_after_generate=io.ControlAfterGenerate.fixed
                ),
                io.Int.Input("count", default=4, min=1, max=4096, tooltip="How many noises."),
                io.Float.Input(
                    "similarity",
                    default=0.95,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="1 = the same noise, 0 = unrelated ones. Above 0.95 the composition mostly stays.",
                ),
                io.Boolean.Input(
                    "include_source", default=True, tooltip="The noise itself comes first, as one of count."
                ),
            ],
            outputs=[io.Noise.Output(display_name="NOISE")],
        )

    @classmethod
    def execute(cls, noise, seed, count, similarity, include_source) -> io.NodeOutput:
        return io.NodeOutput(
            VariedNoise(noise, seed=host_seed(seed), count=count, similarity=similarity, include_source=include_source)
        )


class NoiseFromRecipeNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="NoiseFromRecipe",
            display_name="Noise from Recipe",
            category=CATEGORY,
            description="Makes the noise of a recipe again, exactly.",
            search_aliases=["restore noise", "reproduce"],
            inputs=[
                io.String.Input("recipe", default="", multiline=True, tooltip="The recipe output of a search node."),
                io.Noise.Input(
                    "noise",
                    optional=True,
                    tooltip="Only for a recipe that began with a noise of another node: connect that noise again.",
                ),
                io.Mask.Input(
                    "region",
                    optional=True,
                    tooltip="Only for a recipe that was found in a region: connect that mask again.",
                ),
            ],
            outputs=[
                io.Noise.Output(display_name="NOISE"),
                io.Int.Output(display_name="seed", tooltip="The plain seed, if the noise is one."),
            ],
        )

    @classmethod
    def execute(cls, recipe, noise=None, region=None) -> io.NodeOutput:
        found = recipes.loads_all(recipe)
        for one in found:
            recipes.check_finished(one)
        if any(one.schedule is not None for one in found):
            raise ValueError(
                "recipe must be one of a noise: this one walks along the sampling path. Put it into the recipe input of"
                " a search node"
            )
        return io.NodeOutput(RecipeNoise(found, noise, region), plain_seed(found[0].candidate))


class SamplerPerRowNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SamplerPerRow",
            display_name="Sampler per Row",
            category=CATEGORY,
            description=(
                "For SamplerCustomAdvanced with several noises and a sampler that draws noise on its way (ancestral,"
                " SDE, lcm): every picture of the batch is the one that its noise gives alone, as in a search."
            ),
            search_aliases=["ancestral batch", "SDE batch", "same seed same picture"],
            inputs=[
                io.Sampler.Input(
                    "sampler", tooltip="One of ComfyUI's samplers. Those that draw no noise stay as they are."
                ),
                io.Noise.Input("noise", tooltip="The same NOISE that goes into SamplerCustomAdvanced."),
            ],
            outputs=[io.Sampler.Output(display_name="SAMPLER")],
        )

    @classmethod
    def execute(cls, sampler, noise) -> io.NodeOutput:
        return io.NodeOutput(per_row(sampler, noise))


NODES = [NoiseCandidatesNode, NoiseVariationsNode, NoiseFromRecipeNode, SamplerPerRowNode]
