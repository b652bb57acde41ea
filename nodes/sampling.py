"""Nodes that say how a noise becomes a picture."""

import comfy.samplers
from comfy_api.latest import io

from .host.prompt import trace_prompt
from .host.sampling import from_ksampler, prepared
from .sockets import CATEGORY, Sampling

BATCH = io.Int.Input("batch_size", default=0, min=0, max=64, advanced=True,
                     tooltip="Pictures sampled together. 0 = as many as fit into the free memory.")


def ksampler_inputs() -> list:
    """The inputs of the host's KSampler that are not the seed, in its order, and a VAE."""
    return [
        io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Steps of every picture."),
        io.Float.Input("cfg", default=8.0, min=0.0, max=100.0, step=0.1, round=0.01,
                       tooltip="How strictly the prompt is followed."),
        io.Combo.Input("sampler_name", options=comfy.samplers.KSampler.SAMPLERS, tooltip="As in KSampler."),
        io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, tooltip="As in KSampler."),
        io.Float.Input("denoise", default=1.0, min=0.0, max=1.0, step=0.01,
                       tooltip="Below 1, pictures start from latent_image and keep part of it."),
    ]


def model_inputs() -> list:
    return [
        io.Model.Input("model", tooltip="The model that makes the pictures."),
        io.Conditioning.Input("positive", tooltip="What the pictures should show."),
        io.Conditioning.Input("negative", tooltip="What they should not show."),
        io.Latent.Input("latent_image", tooltip="One latent; the search makes its own batches."),
        io.Vae.Input("vae", tooltip="Decodes every picture, for the verifier and for the IMAGE output."),
    ]


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
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def execute(cls, model, positive, negative, latent_image, vae, batch_size=0, **settings) -> io.NodeOutput:
        prompt = trace_prompt(cls.hidden.prompt, cls.hidden.unique_id, "positive")
        return io.NodeOutput(from_ksampler(model, positive, negative, latent_image, vae, prompt=prompt, batch=batch_size,
                                           **settings))


class SamplingSetupCustomNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SamplingSetupCustom",
            display_name="Sampling Setup (Custom)",
            category=CATEGORY,
            description="How the search turns a noise into a picture: what SamplerCustomAdvanced does with these inputs. "
                        "Any guider, sampler and sigmas, of any pack.",
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
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def execute(cls, guider, sampler, sigmas, latent_image, vae, batch_size=0) -> io.NodeOutput:
        prompt = trace_prompt(cls.hidden.prompt, cls.hidden.unique_id, "guider")
        settings = {"steps": len(sigmas) - 1, "sigma_max": round(float(sigmas[0]), 6)} if len(sigmas) else {}
        return io.NodeOutput(prepared(guider, sampler, sigmas, latent_image, vae, prompt=prompt, batch=batch_size,
                                      settings=settings))


NODES = [SamplingSetupNode, SamplingSetupCustomNode]
