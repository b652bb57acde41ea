"""Nodes that say how a noise becomes a picture."""

from comfy_api.latest import io

from .host.graph.prompt_text import trace_prompt
from .host.graph.upstream import graph_around
from .host.setup.noise import host_seed
from .host.setup.sampling import from_guiders, from_ksampler, from_pair, prepared, with_hires, with_second_stage
from .host.setup.second_stage import Resized, Upsampled
from .host.setup.showing import asked_for
from .inputs import ksampler_inputs, model_inputs, showing_inputs
from .sockets import CATEGORY, Sampling

BATCH = io.Int.Input(
    "batch_size",
    default=0,
    min=0,
    max=64,
    optional=True,
    advanced=True,
    tooltip="Pictures sampled together. 0 = as many as fit into the free memory.",
)
UPSCALES = ["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]
HANDS_ON = io.Combo.Input(
    "hands_on",
    options=["output", "denoised_output"],
    default="output",
    optional=True,
    advanced=True,
    tooltip="Which output of SamplerCustomAdvanced your workflow goes on with: LATENT of the search is that one.",
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
            inputs=[*model_inputs(), *ksampler_inputs(), BATCH, *showing_inputs()],
            outputs=[Sampling.Output(display_name="sampling")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        negative,
        latent_image,
        vae,
        batch_size=0,
        skip_first=-1,
        skip_last=-1,
        tile_size=0,
        **settings,
    ) -> io.NodeOutput:
        prompt = trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "positive")
        showing = asked_for(skip_first, skip_last, tile_size)
        rest = {"prompt": prompt, "batch": batch_size, "showing": showing, **settings}
        return io.NodeOutput(from_ksampler(model, positive, negative, latent_image, vae, **rest))


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
                HANDS_ON,
                *showing_inputs(),
            ],
            outputs=[Sampling.Output(display_name="sampling")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(
        cls,
        guider,
        sampler,
        sigmas,
        latent_image,
        vae,
        batch_size=0,
        hands_on="output",
        skip_first=-1,
        skip_last=-1,
        tile_size=0,
    ) -> io.NodeOutput:
        prompt = trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "guider")
        settings = {"steps": len(sigmas) - 1, "sigma_max": round(float(sigmas[0]), 6)} if len(sigmas) else {}
        return io.NodeOutput(
            prepared(
                guider,
                sampler,
                sigmas,
                latent_image,
                vae,
                prompt=prompt,
                batch=batch_size,
                settings=settings,
                denoised=hands_on == "denoised_output",
                showing=asked_for(skip_first, skip_last, tile_size),
            )
        )


class SamplingSetupTwoGuidersNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SamplingSetupTwoGuiders",
            display_name="Sampling Setup (Two Guiders)",
            category=CATEGORY,
            description=(
                "How the search turns a noise into a picture with two guiders on split sigmas: what a pair of"
                " SamplerCustomAdvanced or SamplerCustom does, the second one without new noise. For Wan 2.2 and other"
                " models in two halves."
            ),
            search_aliases=["SamplerCustomAdvanced", "split sigmas", "wan 2.2", "high noise", "low noise"],
            inputs=[
                io.Guider.Input("guider_high", tooltip="Of the first sampler."),
                io.Guider.Input("guider_low", tooltip="Of the second sampler, which goes on where the first one ends."),
                io.Sampler.Input("sampler", tooltip="Of both samplers."),
                io.Sigmas.Input("sigmas_high", tooltip="Of the first sampler: high_sigmas of Split Sigmas."),
                io.Sigmas.Input("sigmas_low", tooltip="Of the second sampler: low_sigmas of Split Sigmas."),
                io.Latent.Input("latent_image", tooltip="One latent; the search makes its own batches."),
                io.Vae.Input("vae", tooltip="Decodes every picture, for the verifier and for the IMAGE output."),
                io.Sampler.Input("sampler_low", optional=True, tooltip="Of the second sampler, where it is another."),
                BATCH,
                io.Int.Input(
                    "seed_low",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Seed of the second sampler, where the sampler draws noise on its way; the same for every"
                        " picture. Disable Noise has 0, a SamplerCustom its noise_seed."
                    ),
                ),
                HANDS_ON,
                *showing_inputs(),
            ],
            outputs=[Sampling.Output(display_name="sampling")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(
        cls,
        guider_high,
        guider_low,
        sampler,
        sigmas_high,
        sigmas_low,
        latent_image,
        vae,
        sampler_low=None,
        batch_size=0,
        seed_low=0,
        hands_on="output",
        skip_first=-1,
        skip_last=-1,
        tile_size=0,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            from_guiders(
                (guider_high, guider_low),
                (sampler, sampler_low),
                (sigmas_high, sigmas_low),
                latent_image,
                vae,
                prompt=trace_prompt(graph_around(cls.hidden), cls.hidden.unique_id, "guider_high"),
                batch=batch_size,
                seed_low=host_seed(seed_low),
                denoised=hands_on == "denoised_output",
                showing=asked_for(skip_first, skip_last, tile_size),
            )
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
                BATCH,
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
                *showing_inputs(),
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
        skip_first=-1,
        skip_last=-1,
        tile_size=0,
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
                showing=asked_for(skip_first, skip_last, tile_size),
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
                    options=UPSCALES,
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


class SamplingSetupSecondStageNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SamplingSetupSecondStage",
            display_name="Sampling Setup (Second Stage)",
            category=CATEGORY,
            description=(
                "Adds a second stage to a setup: what the first one ends in is enlarged and sampled on by another"
                " guider, sampler and sigmas, before it is judged. For LTX in two stages, with its latent upscaler."
            ),
            search_aliases=["LTX", "LTXV Latent Upsampler", "latent upscale model", "two stages", "second pass"],
            inputs=[
                Sampling.Input("sampling", tooltip="The first stage."),
                io.Guider.Input("guider", tooltip="Of the second sampler."),
                io.Sampler.Input("sampler", tooltip="Of the second sampler."),
                io.Sigmas.Input("sigmas", tooltip="Of the second sampler."),
                io.LatentUpscaleModel.Input(
                    "upscale_model",
                    optional=True,
                    tooltip="Enlarges the latents, as LTXV Latent Upsampler does. Guide frames are cut off.",
                ),
                io.Image.Input(
                    "first_frame",
                    optional=True,
                    tooltip="A picture that the enlarged video begins with, as with LTXV Img To Video Inplace.",
                ),
                io.Float.Input(
                    "scale_by",
                    default=1.0,
                    min=1.0,
                    max=8.0,
                    step=0.05,
                    optional=True,
                    tooltip="Without an upscale_model: how much larger the sides become, as in Upscale Latent By.",
                ),
                io.Combo.Input(
                    "upscale_method",
                    options=UPSCALES,
                    default=UPSCALES[0],
                    optional=True,
                    tooltip="As in Upscale Latent By.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="How much of first_frame is kept.",
                ),
                io.Int.Input(
                    "seed_second",
                    default=-1,
                    min=-1,
                    max=0xFFFFFFFFFFFFFFFF,
                    optional=True,
                    tooltip=(
                        "Noise of the second stage, the same for every picture: the seed of your second Random Noise."
                        " -1 = each picture's own."
                    ),
                ),
                HANDS_ON,
            ],
            outputs=[Sampling.Output(display_name="sampling")],
        )

    @classmethod
    def execute(
        cls,
        sampling,
        guider,
        sampler,
        sigmas,
        upscale_model=None,
        first_frame=None,
        scale_by=1.0,
        upscale_method=UPSCALES[0],
        strength=1.0,
        seed_second=-1,
        hands_on="output",
    ) -> io.NodeOutput:
        if upscale_model is not None and scale_by != 1:
            raise ValueError(
                f"scale_by must be 1 where an upscale_model is connected, which says how much larger, got {scale_by:g}"
            )
        enlarging = (
            Resized(scale_by, upscale_method) if upscale_model is None else Upsampled(upscale_model, sampling.vae)
        )
        return io.NodeOutput(
            with_second_stage(
                sampling,
                guider,
                sampler,
                sigmas,
                enlarging=enlarging,
                seed=None if seed_second < 0 else seed_second,
                image=first_frame,
                strength=strength,
                denoised=hands_on == "denoised_output",
            )
        )


NODES = [
    SamplingSetupNode,
    SamplingSetupCustomNode,
    SamplingSetupTwoStageNode,
    SamplingSetupTwoGuidersNode,
    SamplingSetupHiresNode,
    SamplingSetupSecondStageNode,
]
