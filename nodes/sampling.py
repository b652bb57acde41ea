"""Nodes that say how a noise becomes a picture."""

from comfy_api.latest import io

from .host.graph.prompt_text import trace_prompt
from .host.graph.upstream import graph_around
from .host.setup.sampling import from_ksampler, from_pair, prepared, with_hires
from .inputs import ksampler_inputs, model_inputs
from .sockets import CATEGORY, Sampling

BATCH = io.Int.Input(
    "batch_size",
    default=0,
    min=0,
    max=64,
    advanced=True,
    tooltip="Pictures sampled together. 0 = as many as fit into the free memory.",
)


class SamplingSetupNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SamplingSetup",
            display_name="Sampling Setup (KSampler)",
            category=CATEGORY,
            description="How the search turns a noise into a picture: what KSampler does with these inputs.",
            search_aliases=["ksampler", "noise search setup"],
            inputs=[*model_inputs(), *ksampler_inputs(), BATCH],
            outputs=[Sampling.Output(display_name="sampling")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(cls, model, positive, negative, latent_image, vae, batch_size=0, **settings) -> io.NodeOutput:
        prompt = trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "positive")
        return io.NodeOutput(
            from_ksampler(model, positive, negative, latent_image, vae, prompt=prompt, batch=batch_size, **settings)
        )


class SamplingSetupCustomNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SamplingSetupCustom",
            display_name="Sampling Setup (Custom)",
            category=CATEGORY,
            description=(
                "How the search turns a noise into a picture: what SamplerCustomAdvanced does with these inputs. "
                "Any guider, sampler and sigmas, of any pack."
            ),
            search_aliases=["SamplerCustomAdvanced", "guider"],
            inputs=[
                io.Guider.Input("guider"),
                io.Sampler.Input("sampler"),
                io.Sigmas.Input("sigmas"),
                io.Latent.Input("latent_image", tooltip="One latent; the search makes its own batches."),
                io.Vae.Input("vae", tooltip="Decodes every picture, for the verifier and for the IMAGE output."),
                BATCH,
            ],
            outputs=[Sampling.Output(display_name="sampling")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(cls, guider, sampler, sigmas, latent_image, vae, batch_size=0) -> io.NodeOutput:
        prompt = trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "guider")
        settings = {"steps": len(sigmas) - 1, "sigma_max": round(float(sigmas[0]), 6)} if len(sigmas) else {}
        return io.NodeOutput(
            prepared(guider, sampler, sigmas, latent_image, vae, prompt=prompt, batch=batch_size, settings=settings)
        )


class SamplingSetupTwoStageNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        steps, cfg, sampler_name, scheduler, _ = ksampler_inputs()
        return io.Schema(
            node_id="SamplingSetupTwoStage",
            display_name="Sampling Setup (Two Models)",
            category=CATEGORY,
            description=(
                "How the search turns a noise into a picture with two models, one for high noise and one for low: what"
                " a pair of KSampler (Advanced) does. For Wan 2.2, or a base model and its refiner."
            ),
            search_aliases=["KSampler (Advanced)", "wan 2.2", "high noise", "low noise", "refiner"],
            inputs=[
                io.Model.Input("model_high", tooltip="Samples the first steps. The schedule is this one's."),
                io.Model.Input("model_low", tooltip="Takes over at switch_step."),
                *model_inputs()[1:],
                io.Conditioning.Input(
                    "positive_low", optional=True, tooltip="For the second model, if it reads prompts otherwise."
                ),
                io.Conditioning.Input(
                    "negative_low", optional=True, tooltip="For the second model, if it reads prompts otherwise."
                ),
                steps,
                cfg,
                sampler_name,
                scheduler,
                io.Int.Input("switch_step", default=10, min=1, max=10000, tooltip="Steps that the first model takes."),
                io.Float.Input(
                    "cfg_low",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    optional=True,
                    tooltip="cfg of the second model. 0 = the same.",
                ),
                BATCH,
                io.Int.Input(
                    "seed_low",
                    default=-1,
                    min=-1,
                    max=0xFFFFFFFFFFFFFFFF,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Seed of the second KSampler (Advanced), where the sampler draws noise on its way; the same for"
                        " every picture. -1 = each picture's own."
                    ),
                ),
            ],
            outputs=[Sampling.Output(display_name="sampling")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(
        cls,
        model_high,
        model_low,
        positive,
        negative,
        latent_image,
        vae,
        steps,
        cfg,
        sampler_name,
        scheduler,
        switch_step,
        positive_low=None,
        negative_low=None,
        cfg_low=0.0,
        batch_size=0,
        seed_low=-1,
    ) -> io.NodeOutput:
        prompt = trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "positive")
        low = (positive if positive_low is None else positive_low, negative if negative_low is None else negative_low)
        return io.NodeOutput(
            from_pair(
                (model_high, model_low),
                ((positive, negative), low),
                latent_image,
                vae,
                steps=steps,
                switch=switch_step,
                cfgs=(cfg, cfg_low or cfg),
                sampler_name=sampler_name,
                scheduler=scheduler,
                prompt=prompt,
                batch=batch_size,
                seed_low=None if seed_low < 0 else seed_low,
            )
        )


class SamplingSetupHiresNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        steps, _, sampler_name, scheduler, _ = ksampler_inputs()
        return io.Schema(
            node_id="SamplingSetupHires",
            display_name="Sampling Setup (Hires Fix)",
            category=CATEGORY,
            description=(
                "Adds a second pass to a setup: every picture is enlarged and sampled on before it is judged. The"
                " search then finds what is best after the second pass."
            ),
            search_aliases=["hires fix", "upscale", "second pass"],
            inputs=[
                Sampling.Input("sampling", tooltip="The first pass."),
                io.Float.Input(
                    "scale_by", default=1.5, min=1.05, max=8.0, step=0.05, tooltip="How much larger the sides become."
                ),
                io.Combo.Input(
                    "upscale_method",
                    options=["nearest-exact", "bilinear", "area", "bicubic", "bislerp"],
                    tooltip="As in Upscale Latent By.",
                ),
                steps,
                sampler_name,
                scheduler,
                io.Float.Input(
                    "denoise",
                    default=0.5,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of the picture the second pass redoes.",
                ),
            ],
            outputs=[Sampling.Output(display_name="sampling")],
        )

    @classmethod
    def execute(cls, sampling, scale_by, upscale_method, steps, sampler_name, scheduler, denoise) -> io.NodeOutput:
        return io.NodeOutput(
            with_hires(
                sampling,
                scale=scale_by,
                method=upscale_method,
                steps=steps,
                sampler_name=sampler_name,
                scheduler=scheduler,
                denoise=denoise,
            )
        )


NODES = [SamplingSetupNode, SamplingSetupCustomNode, SamplingSetupTwoStageNode, SamplingSetupHiresNode]
