"""The families that make videos, sound and solid things."""

import torch

from .images import COSMOS, HUNYUAN, POOLED_UNET, beside
from .tiny import ONES, family

CLIP = (16, 2, 8, 8)
WAN = {
    "dim": 128,
    "ffn_dim": 128,
    "freq_dim": 64,
    "text_dim": 32,
    "num_heads": 1,
    "num_layers": 1,
    "in_dim": 16,
    "out_dim": 16,
}
COSMOS_1 = {**COSMOS, "block_x_format": "THWBD", "affline_emb_norm": True, "extra_per_block_abs_pos_emb": True,
            "extra_per_block_abs_pos_emb_type": "learnable"}  # fmt: skip
HUNYUAN_15 = {
    **HUNYUAN,
    "out_channels": 32,
    "vec_in_dim": None,
    "patch_size": [1, 1, 1],
    "use_cond_type_embedding": True,
    "vision_in_dim": 32,
    "meanflow_sum": True,
}
COGVIDEO = {
    "num_attention_heads": 1,
    "attention_head_dim": 64,
    "time_embed_dim": 32,
    "text_embed_dim": 32,
    "num_layers": 1,
    "max_text_seq_length": 4,
    "sample_width": 8,
    "sample_height": 8,
    "sample_frames": 5,
    "use_rotary_positional_embeddings": True,
}
LTX = {
    "num_layers": 1,
    "num_attention_heads": 2,
    "attention_head_dim": 32,
    "cross_attention_dim": 64,
    "caption_channels": 32,
}
SVD = {
    **POOLED_UNET,
    "in_channels": 8,
    "use_temporal_resblock": True,
    "use_temporal_attention": True,
    "video_kernel_size": [3, 1, 1],
    "merge_strategy": "learned_with_images",
    "extra_ff_mix_layer": True,
    "use_spatial_context": True,
    "merge_factor": 0.0,
}


def seconds(*names):
    """What the sound models read besides their network."""
    import comfy.ldm.audio.embedders

    embedder = comfy.ldm.audio.embedders.NumberConditioner(768).state_dict()
    return {f"conditioner.conditioners.{name}.{key}": value for name in names for key, value in embedder.items()}


def driven(randn):
    return {"vace_frames": [randn(1, 32, 2, 8, 8)], "vace_mask": [randn(1, 64, 2, 8, 8)], "vace_strength": [1.0]}


VIDEOS = (
    family("Wan 2.1", "WAN21_T2V", "video", CLIP, net=WAN),
    family("Wan 2.1, causal", "WAN21_CausalAR_T2V", "video", CLIP, net=WAN),
    family(
        "Wan 2.1 image to video",
        "WAN21_I2V",
        "video",
        CLIP,
        net={**WAN, "in_dim": 36},
        extra=lambda randn: {"concat_latent_image": randn(1, *CLIP), "concat_mask": torch.ones(1, 1, 2, 8, 8)},
    ),
    family(
        "Wan 2.1 Fun Control", "WAN21_FunControl2V", "video", CLIP, net={**WAN, "in_dim": 48}, extra=beside(32, 2, 8, 8)
    ),
    family("Wan 2.1 camera", "WAN21_Camera", "video", CLIP, net={**WAN, "in_dim": 32}),
    family("Wan VACE", "WAN21_Vace", "video", CLIP, net={**WAN, "vace_layers": 1, "vace_in_dim": 96}, extra=driven),
    family("Wan HuMo", "WAN21_HuMo", "video", CLIP, net=WAN, unused="audio_proj."),
    family("Wan FlowRVS", "WAN21_FlowRVS", "video", CLIP, net=WAN),
    family("Wan 2.2, 5B", "WAN22_T2V", "video", (48, 2, 8, 8), net={**WAN, "in_dim": 48, "out_dim": 48}),
    family("Wan 2.2 camera", "WAN22_Camera", "video", CLIP, net={**WAN, "in_dim": 36}),
    family("Wan 2.2 S2V", "WAN22_S2V", "video", CLIP, net={**WAN, "audio_inject_layers": [0], "audio_dim": 32}),
    family("Wan 2.2 Animate", "WAN22_Animate", "video", CLIP, net={**WAN, "in_dim": 36, "motion_encoder_dim": 64}),
    family("SCAIL", "WAN21_SCAIL", "video", CLIP, net={**WAN, "in_dim": 20}),
    family("SCAIL 2", "WAN21_SCAIL2", "video", CLIP, net={**WAN, "in_dim": 20}),
    family(
        "WanDancer",
        "WAN22_WanDancer",
        "video",
        CLIP,
        net={
            **WAN,
            "in_dim": 36,
            "audio_inject_layers": [0],
            "music_dim": 32,
            "music_heads": 1,
            "music_latent_dim": 32,
        },
    ),
    family("Hunyuan Video", "HunyuanVideo", "video", CLIP, net=HUNYUAN, pooled=(16,)),
    family(
        "Hunyuan Video image to video",
        "HunyuanVideoI2V",
        "video",
        CLIP,
        net={**HUNYUAN, "in_channels": 33},
        pooled=(16,),
        extra=beside(16, 1, 8, 8),
    ),
    family(
        "SkyReels image to video",
        "HunyuanVideoSkyreelsI2V",
        "video",
        CLIP,
        net={**HUNYUAN, "in_channels": 32},
        pooled=(16,),
        extra=beside(16, 1, 8, 8),
    ),
    family(
        "Hunyuan Video 1.5",
        "HunyuanVideo15",
        "video",
        (32, 2, 8, 8),
        net={**HUNYUAN_15, "in_channels": 65},
        pooled=(16,),
    ),
    family(
        "Hunyuan Video 1.5 SR",
        "HunyuanVideo15_SR_Distilled",
        "video",
        (32, 2, 8, 8),
        net={**HUNYUAN_15, "in_channels": 98},
        pooled=(16,),
    ),
    family("LTX Video", "LTXV", "video", (128, 2, 8, 8), net=LTX, extra=lambda randn: {"attention_mask": ONES}),
    family(
        "Mochi",
        "GenmoMochi",
        "video",
        (12, 2, 8, 8),
        extra=lambda randn: {"attention_mask": ONES},
        net={
            "patch_size": 2,
            "in_channels": 12,
            "depth": 1,
            "num_heads": 2,
            "hidden_size_x": 64,
            "hidden_size_y": 64,
            "mlp_ratio_x": 192.0,
            "mlp_ratio_y": 1.0,
            "learn_sigma": False,
            "use_t5": True,
            "t5_feat_dim": 32,
            "t5_token_length": 4,
            "qk_norm": True,
            "qkv_bias": False,
            "out_bias": True,
            "attn_drop": 0.0,
            "posenc_preserve_area": True,
            "timestep_scale": 1000.0,
        },
    ),
    family("Cosmos", "CosmosT2V", "video", CLIP, net=COSMOS_1),
    family("Cosmos image to video", "CosmosI2V", "video", CLIP, net={**COSMOS_1, "in_channels": 17}),
    family("Cosmos Predict 2 video", "CosmosI2VPredict2", "video", CLIP, net={**COSMOS, "in_channels": 17}),
    family(
        "Kandinsky 5 video",
        "Kandinsky5",
        "video",
        CLIP,
        pooled=(16,),
        net={
            "in_text_dim": 32,
            "in_text_dim2": 16,
            "time_dim": 32,
            "model_dim": 64,
            "ff_dim": 64,
            "visual_embed_dim": 132,
            "num_text_blocks": 1,
            "num_visual_blocks": 1,
            "axes_dims": (16, 24, 24),
        },
    ),
    family("CogVideoX", "CogVideoX_T2V", "video", CLIP, net={**COGVIDEO, "in_channels": 16}),
    family(
        "CogVideoX image to video",
        "CogVideoX_I2V",
        "video",
        CLIP,
        net={**COGVIDEO, "in_channels": 32},
        extra=beside(16, 1, 8, 8),
    ),
    family("CogVideoX Fun inpainting", "CogVideoX_Inpaint", "video", CLIP, net={**COGVIDEO, "in_channels": 48}),
    family(
        "SeedVR2 (upscaler)",
        "SeedVR2",
        "video",
        CLIP,
        extra=lambda randn: {"condition": randn(1, 17, 2, 8, 8)},
        net={
            "norm_eps": 1e-5,
            "num_layers": 2,
            "mlp_type": "swiglu",
            "vid_dim": 128,
            "txt_in_dim": 32,
            "heads": 1,
            "mm_layers": 1,
            "expand_ratio": 1,
            "vid_out_norm": True,
        },
    ),
    family("Stable Video Diffusion", "SVD_img2vid", "video", (4, 8, 8), net=SVD),
    family("SV3D u", "SV3D_u", "video", (4, 8, 8), net=SVD),
    family("SV3D p", "SV3D_p", "video", (4, 8, 8), net=SVD),
    family(
        "LTX 2",
        "LTXAV",
        "video and sound",
        (128, 2, 4, 4),
        (8, 8, 16),
        context=64,
        net={
            **LTX,
            "audio_cross_attention_dim": 64,
            "audio_attention_head_dim": 32,
            "audio_num_attention_heads": 2,
            "connector_attention_head_dim": 32,
            "connector_num_attention_heads": 1,
            "connector_num_layers": 1,
        },
    ),
    family(
        "MiniMax H3",
        "MiniMaxH3",
        "video and sound",
        (24, 2, 8, 8),
        (32, 2, 8),
        net={
            "hidden_size": 128,
            "num_layers": 1,
            "token_refiner_num_layers": 1,
            "num_attention_heads": 1,
            "attention_head_dim": 128,
            "ffn_hidden_size": 64,
            "text_dim": 32,
            "timestep_input_dim": 32,
            "time_embed_hidden_size": 32,
            "time_embed_dim": 32,
        },
    ),
)

OTHERS = (
    family(
        "Stable Audio",
        "StableAudio",
        "sound",
        (64, 32),
        context=768,
        weights=lambda: seconds("seconds_start", "seconds_total"),
        net={"embed_dim": 64, "depth": 1, "num_heads": 1, "global_cond_dim": 1536, "project_cond_tokens": True},
    ),
    family(
        "Stable Audio 3",
        "StableAudio3",
        "sound",
        (256, 16),
        context=768,
        weights=lambda: seconds("seconds_total"),
        net={
            "io_channels": 256,
            "embed_dim": 64,
            "depth": 1,
            "num_heads": 1,
            "global_cond_dim": 768,
            "project_cond_tokens": True,
            "timestep_features_type": "learned",
            "global_cond_type": "adaLN",
            "local_add_cond_dim": 257,
        },
    ),
    family(
        "ACE-Step",
        "ACEStep",
        "sound",
        (8, 16, 16),
        extra=lambda randn: {"conditioning_lyrics": ONES},
        net={
            "num_layers": 1,
            "inner_dim": 64,
            "attention_head_dim": 32,
            "num_attention_heads": 2,
            "mlp_ratio": 1.0,
            "text_embedding_dim": 32,
            "lyric_encoder_vocab_size": 8,
        },
    ),
    family(
        "ACE-Step 1.5",
        "ACEStep15",
        "sound",
        (64, 16),
        extra=lambda randn: {"conditioning_lyrics": randn(1, 4, 32)},
        net={
            "hidden_size": 64,
            "text_hidden_dim": 32,
            "num_dit_layers": 1,
            "num_lyric_layers": 1,
            "num_timbre_layers": 1,
            "num_tokenizer_layers": 1,
            "num_heads": 1,
            "num_kv_heads": 1,
            "head_dim": 64,
            "intermediate_size": 64,
            "fsq_dim": 64,
            "encoder_hidden_size": 64,
            "encoder_intermediate_size": 64,
            "encoder_num_heads": 1,
        },
    ),
    family(
        "Hunyuan 3D 2",
        "Hunyuan3Dv2",
        "3D",
        (64, 16),
        like=("Hunyuan3Dv2mini",),
        net={"context_in_dim": 32, "hidden_size": 64, "num_heads": 1, "depth": 1, "depth_single_blocks": 1},
    ),
    family(
        "Hunyuan 3D 2.1",
        "Hunyuan3Dv2_1",
        "3D",
        (64, 16),
        net={"hidden_size": 64, "context_dim": 32, "depth": 1, "num_heads": 1, "guidance_cond_proj_dim": None},
    ),
    family(
        "TripoSplat",
        "TripoSplat",
        "3D",
        (16, 16),
        (1, 5),
        net={"q_token_length": 16, "model_channels": 64, "cond_channels": 32, "num_blocks": 1, "num_refiner_blocks": 1},
    ),
)

# Classes of the host that no sampler ever runs.
NOT_SAMPLED = {
    "RT_DETR_v4": "finds objects in pictures; it is not sampled",
    "SAM3": "cuts out objects; it is not sampled",
    "SAM31": "cuts out objects; it is not sampled",
    "DepthAnything3": "measures depth; it is not sampled",
}
