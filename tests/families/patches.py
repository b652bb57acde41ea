"""What the host's own nodes put on a model."""

import torch


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def patches():
    """What the host's own nodes put on a model, by their names."""
    from comfy_extras import (
        nodes_apg,
        nodes_cfg,
        nodes_easycache,
        nodes_freelunch,
        nodes_model_advanced,
        nodes_pag,
        nodes_sag,
        nodes_tcfg,
    )
    from comfy_extras import nodes_context_windows as windows

    wan = {
        "context_overlap": 1,
        "context_schedule": "standard_static",
        "context_stride": 1,
        "closed_loop": False,
        "fuse_method": "pyramid",
    }
    return {
        "CFG-Zero": lambda model: nodes_cfg.CFGZeroStar.execute(model)[0],
        "CFG Norm": lambda model: nodes_cfg.CFGNorm.execute(model, 0.5)[0],
        "FreeU": lambda model: nodes_freelunch.FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2)[0],
        "PAG": lambda model: nodes_pag.PerturbedAttentionGuidance.execute(model, 3.0)[0],
        "SAG": lambda model: nodes_sag.SelfAttentionGuidance.execute(model, 0.5, 2.0)[0],
        "TCFG": lambda model: nodes_tcfg.TCFG.execute(model)[0],
        "Rescale CFG": lambda model: nodes_model_advanced.RescaleCFG().patch(model, 0.7)[0],
        "APG": lambda model: nodes_apg.APG.execute(model, 0.5, 5.0, 0.0)[0],
        "APG with momentum": lambda model: nodes_apg.APG.execute(model, 0.5, 5.0, -0.5)[0],
        "EasyCache": lambda model: nodes_easycache.EasyCacheNode.execute(model, 3.0, 0.0, 1.0, False)[0],
        "context windows": lambda model: windows.ContextWindowsManualNode.execute(
            model, 2, freenoise=False, dim=2, **wan
        )[0],
        "FreeNoise": lambda model: windows.ContextWindowsManualNode.execute(model, 2, freenoise=True, dim=2, **wan)[0],
        "LoRA": lora,
    }


def lora(model):
    """A LoRA on the first attention or linear layer that it fits."""
    import comfy.sd

    key = next(
        name for name, value in model.model.diffusion_model.state_dict().items() if value.ndim == 2 and "attn" in name
    )
    rows, columns = model.model.diffusion_model.state_dict()[key].shape
    name = "diffusion_model." + key.removesuffix(".weight")
    weights = {f"{name}.lora_up.weight": randn(1, rows, 2), f"{name}.lora_down.weight": randn(2, 2, columns)}
    patched = comfy.sd.load_lora_for_models(model, None, weights, 0.5, 0)[0]
    assert patched.patches
    return patched
