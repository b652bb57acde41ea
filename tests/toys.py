"""Test-only nodes and tiny models with random weights, one per family of the host; loaded by the host as a custom
node.
"""

import functools
import math
from itertools import pairwise

import comfy.ops
import comfy.sd
import folder_paths
import torch
from app.subgraph_manager import SubgraphManager
from comfy.model_management import get_torch_device
from comfy_api.latest import ComfyExtension, io

KEPT: dict[str, list] = {}  # what the ToyKeep nodes of the running prompt received
# one latent, without the batch
SHAPES = {"sd3": (16, 8, 8), "flux": (16, 8, 8), "sd15": (4, 8, 8), "wan": (16, 3, 8, 8)}
CONTEXT = {"sd3": 32, "flux": 32, "sd15": 768, "wan": 4096}
POOLED = {"sd3": 16, "flux": 16}
BUILT = {"dtype": torch.float32, "device": "cpu", "operations": comfy.ops.disable_weight_init}


def random_weights(module: torch.nn.Module, gain: float = 1.0) -> dict[str, torch.Tensor]:
    """The module's state dict with weights of unit gain, norms of one, small biases; the same on every call."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, value in module.state_dict().items():
        if value.ndim >= 2:
            weights[name] = torch.randn(value.shape, generator=generator) * gain / math.sqrt(value[0].numel())
        elif "norm" in name and name.endswith(("weight", "scale")):
            weights[name] = torch.ones(value.shape)
        else:
            weights[name] = torch.randn(value.shape, generator=generator) * 0.02
    return weights


def sd3(depth: int = 1) -> dict[str, torch.Tensor]:
    from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT

    embedder = {"target": "torch.nn.Linear", "params": {"in_features": CONTEXT["sd3"], "out_features": 64 * depth}}
    return random_weights(
        MMDiT(
            input_size=None,
            patch_size=2,
            in_channels=16,
            depth=depth,
            adm_in_channels=POOLED["sd3"],
            context_embedder_config=embedder,
            num_patches=256,
            pos_embed_max_size=16,
            pos_embed_scaling_factor=None,
            **BUILT,
        )
    )


def flux() -> dict[str, torch.Tensor]:
    from comfy.ldm.flux.model import Flux

    return random_weights(
        Flux(
            image_model="flux",
            in_channels=16,
            out_channels=16,
            vec_in_dim=POOLED["flux"],
            context_in_dim=CONTEXT["flux"],
            hidden_size=128,
            mlp_ratio=4.0,
            num_heads=1,
            depth=1,
            depth_single_blocks=1,
            axes_dim=[16, 56, 56],
            theta=10000,
            patch_size=2,
            qkv_bias=True,
            guidance_embed=True,
            txt_ids_dims=[],
            **BUILT,
        )
    )


def sd15() -> dict[str, torch.Tensor]:
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return random_weights(
        UNetModel(
            image_size=32,
            in_channels=4,
            out_channels=4,
            model_channels=320,
            num_res_blocks=[1],
            channel_mult=[1],
            transformer_depth=[1],
            transformer_depth_output=[1, 1],
            transformer_depth_middle=-1,
            num_heads=8,
            num_head_channels=-1,
            use_spatial_transformer=True,
            context_dim=CONTEXT["sd15"],
            use_linear_in_transformer=False,
            adm_in_channels=None,
            **BUILT,
        ),
        gain=0.7,
    )


def wan() -> dict[str, torch.Tensor]:
    from comfy.ldm.wan.model import WanModel

    return random_weights(
        WanModel(
            model_type="t2v",
            patch_size=(1, 2, 2),
            in_dim=16,
            dim=128,
            ffn_dim=128,
            freq_dim=256,
            text_dim=CONTEXT["wan"],
            out_dim=16,
            num_heads=1,
            num_layers=1,
            **BUILT,
        )
    )


FAMILIES = {"sd3": sd3, "flux": flux, "sd15": sd15, "wan": wan}


@functools.cache
def model(family: str):
    """A MODEL of the family, recognised by the host from its weights alone."""
    return comfy.sd.load_diffusion_model_state_dict(FAMILIES[family]())


def conditioning(family: str, seed: int, batch: int = 1) -> list:
    """A CONDITIONING of four random tokens per row, `(batch, 4, context)`."""
    generator = torch.Generator().manual_seed(seed)
    extra = {"pooled_output": torch.randn(batch, POOLED[family], generator=generator)} if family in POOLED else {}
    return [[torch.randn(batch, 4, CONTEXT[family], generator=generator), extra]]


def latent(family: str, batch: int = 1) -> dict:
    """An empty LATENT, `(batch, *SHAPES[family])`."""
    return {"samples": torch.zeros(batch, *SHAPES[family])}


@functools.cache
def controlnet():
    """A CONTROL_NET for the sd15 family."""
    import comfy.controlnet
    from comfy.cldm.cldm import ControlNet

    net = ControlNet(
        image_size=32,
        in_channels=4,
        hint_channels=3,
        model_channels=320,
        num_res_blocks=[1],
        channel_mult=[1],
        transformer_depth=[1],
        transformer_depth_middle=-1,
        num_heads=8,
        num_head_channels=-1,
        use_spatial_transformer=True,
        context_dim=CONTEXT["sd15"],
        use_linear_in_transformer=False,
        adm_in_channels=None,
        **BUILT,
    )
    net.load_state_dict(random_weights(net, gain=0.5))
    return comfy.controlnet.ControlNet(net, load_device=get_torch_device(), manual_cast_dtype=None)


@functools.cache
def vae(channels: int = 16):
    """A TAESD to the host, with few random weights: eight pixels per latent element, any number of latent channels."""
    from comfy.taesd.taesd import TAESD

    whole = TAESD(latent_channels=channels).state_dict()
    made = comfy.sd.VAE(sd={key: value for key, value in whole.items() if not key.startswith("vae_")})
    inner = made.first_stage_model
    inner.taesd_decoder, inner.taesd_encoder = few_weights(decoder(channels)), few_weights(encoder(channels))
    inner.to(made.vae_dtype)  # that the host chose for this card
    return made


def few_weights(module: torch.nn.Module) -> torch.nn.Module:
    module.load_state_dict(random_weights(module, gain=1.6))
    return module.requires_grad_(False)


def decoder(channels: int) -> torch.nn.Module:
    """Latents `(n, channels, h, w)` to pictures `(n, 3, 8 h, 8 w)`; the host's own takes most of the time of the
    tests.
    """
    widths, up = [channels, 8, 8, 8], torch.nn.Upsample(scale_factor=2)
    levels = [part for into, out in pairwise(widths) for part in (conv(into, out), torch.nn.ReLU(), up)]
    return torch.nn.Sequential(*levels, conv(8, 3), torch.nn.Sigmoid())


def encoder(channels: int) -> torch.nn.Module:
    """Pictures `(n, 3, 8 h, 8 w)` to latents `(n, channels, h, w)`."""
    levels = [part for into, out in pairwise([3, 8, 8, 8]) for part in (conv(into, out, stride=2), torch.nn.ReLU())]
    return torch.nn.Sequential(*levels, conv(8, channels))


def conv(into: int, out: int, stride: int = 1) -> torch.nn.Module:
    return comfy.ops.disable_weight_init.Conv2d(into, out, 3, stride=stride, padding=1)


class ToyModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ToyModel",
            category="noise search/tests",
            inputs=[io.Combo.Input("family", options=list(FAMILIES)), io.Int.Input("batch", default=1, min=1, max=64)],
            outputs=[
                io.Model.Output(),
                io.Conditioning.Output(display_name="positive"),
                io.Conditioning.Output(display_name="negative"),
                io.Latent.Output(),
                io.Vae.Output(),
            ],
        )

    @classmethod
    def execute(cls, family: str, batch: int) -> io.NodeOutput:
        return io.NodeOutput(
            model(family),
            conditioning(family, 1),
            conditioning(family, 2),
            latent(family, batch),
            vae(SHAPES[family][0]),
        )


class ToyConditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ToyConditioning",
            category="noise search/tests",
            inputs=[
                io.Combo.Input("family", options=list(FAMILIES)),
                io.Int.Input("seed", default=1),
                io.Int.Input("batch", default=1),
            ],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, family: str, seed: int, batch: int) -> io.NodeOutput:
        return io.NodeOutput(conditioning(family, seed, batch))


class ToyValue(io.ComfyNode):
    """Puts any object of the test into a prompt: `toys.VALUES[name]`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ToyValue",
            category="noise search/tests",
            inputs=[
                io.String.Input("name"),
                io.String.Input("mark", default="", optional=True, tooltip="Equal marks: an equal object."),
            ],
            outputs=[io.AnyType.Output(), io.AnyType.Output(is_output_list=True)],
            not_idempotent=True,
        )

    @classmethod
    def fingerprint_inputs(cls, name: str, mark: str = "") -> float | str:
        return mark or float("nan")

    @classmethod
    def execute(cls, name: str, mark: str = "") -> io.NodeOutput:
        value = VALUES[name]
        return io.NodeOutput(value, value if isinstance(value, list) else [value])


class ToyPart(io.ComfyNode):
    """As ToyValue, for what stays the same between prompts: a search behind it goes on from what was kept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ToyPart",
            category="noise search/tests",
            inputs=[io.String.Input("name")],
            outputs=[io.AnyType.Output()],
        )

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        return io.NodeOutput(VALUES[name])


class ToyCounted(io.ComfyNode):
    """A MODEL whose steps are counted in a file of the output folder that outlives the server: pictures, one line per
    step.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ToyCounted",
            category="noise search/tests",
            inputs=[io.Model.Input("model"), io.String.Input("name")],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model, name: str) -> io.NodeOutput:
        counted = model.clone()
        # open as long as the model lives: its path in the closure would be part of the search's identity
        file = open(f"{folder_paths.get_output_directory()}/{name}", "ab", buffering=0)  # noqa: SIM115

        def count(found):
            file.write(b"%d\n" % len(found["denoised"]))
            return found["denoised"]

        count.noise_search_by_row = True
        counted.set_model_sampler_post_cfg_function(count)
        return io.NodeOutput(counted)


VALUES: dict[str, object] = {}


class ToyKeep(io.ComfyNode):
    """Keeps what it receives for the test to look at: a list, with one entry unless a list of the host arrived."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ToyKeep",
            category="noise search/tests",
            inputs=[io.AnyType.Input("value"), io.String.Input("name", default="value")],
            outputs=[],
            is_input_list=True,
            is_output_node=True,
            not_idempotent=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> float:
        return float("nan")

    @classmethod
    def execute(cls, value: list, name: list[str]) -> io.NodeOutput:
        KEPT[name[0]] = value
        return io.NodeOutput()


class Toys(ComfyExtension):
    async def on_load(self) -> None:
        """A page of the tests opens without the host's own subgraphs: eighty of them take a third of its time."""

        async def none(manager: SubgraphManager, force_reload: bool = False) -> dict:
            return {}

        SubgraphManager.get_blueprint_subgraphs = none

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [ToyModel, ToyConditioning, ToyValue, ToyPart, ToyCounted, ToyKeep]


async def comfy_entrypoint() -> Toys:
    return Toys()
