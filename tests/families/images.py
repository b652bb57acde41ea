"""The families that make pictures."""

import torch

from .tiny import ONES, family

FOUR, SIXTEEN, STILL, WIDE = (4, 8, 8), (16, 8, 8), (16, 1, 8, 8), (128, 8, 8)
UNET = {"image_size": 32, "in_channels": 4, "out_channels": 4, "num_res_blocks": [1], "channel_mult": [1], "transformer_depth": [1],
        "transformer_depth_output": [1, 1], "transformer_depth_middle": -1, "use_spatial_transformer": True, "model_channels": 64,
        "context_dim": 32}  # fmt: skip
POOLED_UNET = {**UNET, "num_classes": "sequential"}
FLUX = {"in_channels": 16, "out_channels": 16, "vec_in_dim": 16, "context_in_dim": 32, "hidden_size": 128, "mlp_ratio": 1.0, "num_heads": 1,
        "depth": 1, "depth_single_blocks": 1, "axes_dim": [16, 56, 56], "theta": 10000, "patch_size": 2, "qkv_bias": True,
        "txt_ids_dims": []}  # fmt: skip
FLUX_2 = {**FLUX, "in_channels": 128, "out_channels": 128, "vec_in_dim": None, "axes_dim": [32] * 4, "patch_size": 1, "qkv_bias": False,
          "ops_bias": False, "global_modulation": True, "mlp_silu_act": True, "default_ref_method": "index", "ref_index_scale": 10.0,
          "txt_ids_dims": [3], "guidance_embed": True}  # fmt: skip
CHROMA = {**FLUX, "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 128, "hidden_dim": 64, "n_layers": 1, "vec_in_dim": None}
RADIANCE = {**CHROMA, "in_channels": 3, "out_channels": 3, "patch_size": 16, "nerf_hidden_size": 16, "nerf_mlp_ratio": 1, "nerf_depth": 1,
            "nerf_max_freqs": 4, "nerf_tile_size": 0, "nerf_final_head_type": "conv", "nerf_embedder_dtype": torch.float32, "use_x0": False,
            "use_sequential_txt_ids": False}  # fmt: skip
HUNYUAN = {"in_channels": 16, "out_channels": 16, "vec_in_dim": 16, "context_in_dim": 32, "hidden_size": 128, "mlp_ratio": 1.0,
           "num_heads": 1, "depth": 1, "depth_single_blocks": 1, "axes_dim": [16, 56, 56], "theta": 256, "patch_size": [1, 2, 2],
           "qkv_bias": True, "guidance_embed": True, "byt5": False, "meanflow": False, "use_cond_type_embedding": False,
           "vision_in_dim": None, "meanflow_sum": False}  # fmt: skip
COSMOS = {"max_img_h": 32, "max_img_w": 32, "max_frames": 16, "in_channels": 16, "out_channels": 16, "patch_spatial": 2,
          "patch_temporal": 1, "model_channels": 96, "num_blocks": 1, "num_heads": 1, "crossattn_emb_channels": 32, "pos_emb_cls": "rope3d",
          "use_adaln_lora": True, "adaln_lora_dim": 16}  # fmt: skip
LUMINA = {"patch_size": 2, "in_channels": 16, "dim": 64, "n_layers": 1, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2, "qk_norm": True,
          "cap_feat_dim": 32, "axes_dims": [8, 12, 12], "axes_lens": [300, 64, 64], "multiple_of": 32, "ffn_dim_multiplier": 1.0}  # fmt: skip
Z_IMAGE = {**LUMINA, "dim": 256, "n_heads": 8, "n_kv_heads": 8, "z_image_modulation": True, "time_scale": 1000.0}
OMNIGEN = {"hidden_size": 120, "num_layers": 1, "num_refiner_layers": 1, "num_attention_heads": 1, "num_kv_heads": 1, "multiple_of": 32,
           "axes_dim_rope": [40, 40, 40], "axes_lens": [64, 64, 64]}  # fmt: skip
PIXART = {"input_size": 16, "hidden_size": 96, "depth": 1, "num_heads": 2, "caption_channels": 32, "pe_interpolation": 1}
PIXEL_DIT = {"num_groups": 2, "hidden_size": 64, "pixel_hidden_size": 16, "pixel_attn_hidden_size": 32, "pixel_num_groups": 2,
             "patch_depth": 2, "pixel_depth": 1, "patch_size": 16, "txt_embed_dim": 32, "txt_max_length": 16}  # fmt: skip
HYDIT = {"hidden_size": 64, "depth": 2, "num_heads": 1, "mlp_ratio": 1.0, "text_states_dim": 32, "text_states_dim_t5": 32, "text_len": 4,
         "text_len_t5": 4}  # fmt: skip
QWEN = {"num_layers": 1, "num_attention_heads": 1, "joint_attention_dim": 32}
SD3 = {"input_size": None, "patch_size": 2, "depth": 1, "adm_in_channels": 16, "num_patches": 256, "pos_embed_max_size": 16,
       "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 32, "out_features": 64}}}  # fmt: skip
QWEN_3 = {"vocab_size": 151680, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1,
          "num_key_value_heads": 1, "head_dim": 32, "rope_dims": [8, 4, 4]}  # fmt: skip
EYES = {"hidden_size": 16, "num_heads": 1, "intermediate_size": 16, "depth": 1, "deepstack_visual_indexes": [0]}


def two_encoders(randn):
    return {"conditioning_mt5xl": randn(1, 4, 32), "attention_mask": torch.ones(1, 4), "attention_mask_mt5xl": torch.ones(1, 4)}


def edited(*shape):
    """Conditioning with a picture that is to be edited."""
    return lambda randn: {"reference_latents": [randn(1, *shape)]}


def beside(*shape):
    """Conditioning with a picture in further channels."""
    return lambda randn: {"concat_latent_image": randn(1, *shape)}


IMAGES = (
    family("SD 1.5", "SD15", "image", FOUR, net=UNET),
    family("SD 1.5 inpainting", "SD15", "image", FOUR, net={**UNET, "in_channels": 9}),
    family("SD 2 (v)", "SD20", "image", FOUR, net=UNET,
           weights=lambda: {"output_blocks.11.1.transformer_blocks.0.norm1.bias": torch.tensor([0.0, 1.0])}),
    family("SD 2.1 unCLIP", "SD21UnclipL", "image", FOUR, net={**POOLED_UNET, "adm_in_channels": 64}, like=("SD21UnclipH",)),
    family("SDXL", "SDXL", "image", FOUR, net=POOLED_UNET, pooled=(1280,), like=("SSD1B", "Segmind_Vega", "KOALA_700M", "KOALA_1B")),
    family("SDXL (v)", "SDXL", "image", FOUR, net=POOLED_UNET, pooled=(1280,), weights=lambda: {"v_pred": torch.zeros(0)}),
    family("Playground 2.5 (EDM)", "SDXL", "image", FOUR, net=POOLED_UNET, pooled=(1280,),
           weights=lambda: {"edm_mean": torch.zeros(1, 4, 1, 1), "edm_std": torch.ones(1, 4, 1, 1)}),
    family("SDXL Refiner", "SDXLRefiner", "image", FOUR, net=POOLED_UNET, pooled=(1280,)),
    family("InstructPix2Pix", "SD15_instructpix2pix", "image", FOUR, net={**UNET, "in_channels": 8}, extra=beside(*FOUR)),
    family("InstructPix2Pix XL", "SDXL_instructpix2pix", "image", FOUR, net={**POOLED_UNET, "in_channels": 8}, pooled=(1280,),
           extra=beside(*FOUR)),
    family("Stable Zero123", "Stable_Zero123", "image", FOUR, net={**UNET, "in_channels": 8, "context_dim": 768}, context=772,
           weights=lambda: {"cc_projection.weight": torch.eye(768, 772), "cc_projection.bias": torch.zeros(768)}),
    family("SD x4 Upscaler", "SD_X4Upscaler", "image", FOUR,
           net={**UNET, "in_channels": 7, "channel_mult": [1] * 4, "num_res_blocks": [1] * 4, "transformer_depth": [0, 0, 0, 1],
                "transformer_depth_output": [0] * 6 + [1, 1], "transformer_depth_middle": 1}),
    family("Lotus", "LotusD", "image", FOUR, net=UNET),
    family("Stable Cascade, stage C", "Stable_Cascade_C", "image", SIXTEEN, pooled=(1, 32),
           net={"c_cond": 64, "c_hidden": [64, 64], "nhead": [2, 2], "blocks": [[1, 1], [1, 1]], "c_clip_text": 32, "c_clip_text_pooled": 32}),
    family("Stable Cascade, stage B", "Stable_Cascade_B", "image", (4, 16, 16), pooled=(1, 32),
           net={"c_cond": 32, "c_hidden": [32, 32, 64, 64], "nhead": [-1, -1, 2, 2], "blocks": [[1] * 4, [1] * 4],
                "block_repeat": [[1] * 4, [1] * 4], "c_clip": 32}),
    family("SD 3", "SD3", "image", SIXTEEN, net=SD3, pooled=(16,)),
    family("AuraFlow", "AuraFlow", "image", FOUR,
           net={"dim": 64, "n_layers": 2, "n_double_layers": 1, "n_heads": 2, "global_conddim": 64, "cond_seq_dim": 32, "max_seq": 64}),
    family("PixArt alpha", "PixArtAlpha", "image", (4, 64, 2), net={**PIXART, "micro_condition": True},
           extra=lambda randn: {"width": 64, "height": 64}),
    family("PixArt Sigma", "PixArtSigma", "image", (4, 64, 2), net={**PIXART, "micro_condition": False}),
    family("Hunyuan DiT", "HunyuanDiT", "image", FOUR, net=HYDIT, extra=two_encoders),
    family("Hunyuan DiT 1.0", "HunyuanDiT1", "image", FOUR, net={**HYDIT, "size_cond": True, "use_style_cond": True}, extra=two_encoders),
    family("Flux dev", "Flux", "image", SIXTEEN, net=FLUX, pooled=(16,)),
    family("Flux Kontext (edit)", "Flux", "image", SIXTEEN, net=FLUX, pooled=(16,), extra=edited(*SIXTEEN)),
    family("Flux Fill", "FluxInpaint", "image", SIXTEEN, net={**FLUX, "in_channels": 96}, pooled=(16,),
           extra=lambda randn: {"concat_latent_image": randn(1, *SIXTEEN), "concat_mask": torch.ones(1, 1, 64, 64)}),
    family("Flux schnell (no guidance)", "FluxSchnell", "image", SIXTEEN, net=FLUX, pooled=(16,)),
    family("LongCat-Image", "LongCatImage", "image", SIXTEEN, net={**FLUX, "vec_in_dim": None, "txt_ids_dims": [1, 2]}),
    family("Flux 2 (edit)", "Flux2", "image", (128, 4, 4), net=FLUX_2, extra=edited(128, 4, 4)),
    family("Lens", "Lens", "image", WIDE,
           net={"in_channels": 128, "out_channels": 32, "num_layers": 1, "num_attention_heads": 1, "enc_hidden_dim": 32,
                "multi_layer_encoder_feature": False, "selected_layer_index": (0,)}),
    family("Chroma", "Chroma", "image", SIXTEEN, net=CHROMA),
    family("Chroma Radiance", "ChromaRadiance", "image", (3, 32, 32), net=RADIANCE),
    family("Lumina 2", "Lumina2", "image", SIXTEEN, net=LUMINA),
    family("Z-Image", "ZImage", "image", SIXTEEN, net={**Z_IMAGE, "pad_tokens_multiple": 32, "rope_theta": 256.0}),
    family("Z-Image, pixels", "ZImagePixelSpace", "image", (3, 32, 32),
           net={**Z_IMAGE, "patch_size": 8, "in_channels": 3, "decoder_hidden_size": 32, "decoder_num_res_blocks": 1, "decoder_max_freqs": 4,
                "decoder_in_channels": 192, "use_x0": True}),
    family("PixelDiT", "PixelDiTT2I", "image", (3, 32, 32), net=PIXEL_DIT),
    family("PiD", "PiD", "image", (3, 32, 32), net={**PIXEL_DIT, "lq_hidden_dim": 16, "lq_num_res_blocks": 1},
           extra=lambda randn: {"lq_latent": randn(1, 16, 1, 1), "degrade_sigma": torch.zeros(1)}),
    family("HiDream I1", "HiDream", "image", SIXTEEN, pooled=(16,), extra=lambda randn: {"conditioning_llama3": randn(1, 1, 4, 32)},
           net={"patch_size": 2, "in_channels": 16, "out_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 32,
                "num_attention_heads": 2, "caption_channels": [32, 32], "text_emb_dim": 16, "num_routed_experts": 2,
                "num_activated_experts": 1, "axes_dims_rope": [16, 8, 8], "llama_layers": [0, 0]}),
    family("HiDream O1 (pixels)", "HiDreamO1", "image", (3, 64, 64), extra=lambda randn: {"text_input_ids": torch.arange(6)[None]},
           net={"text_config_overrides": QWEN_3, "vision_config_overrides": EYES}),
    family("OmniGen 2", "Omnigen2", "image", SIXTEEN, net={**OMNIGEN, "text_feat_dim": 32}, extra=lambda randn: {"attention_mask": ONES}),
    family("OmniGen 2 (edit)", "Omnigen2", "image", SIXTEEN, net={**OMNIGEN, "text_feat_dim": 32},
           extra=lambda randn: {"attention_mask": ONES, "reference_latents": [randn(1, *SIXTEEN)]}),
    family("Boogu", "Boogu", "image", SIXTEEN, net={**OMNIGEN, "num_double_stream_layers": 1, "instruction_feat_dim": 32},
           extra=lambda randn: {"attention_mask": ONES}),
    family("Mage Flow", "MageFlow", "image", WIDE, net=QWEN),
    family("Qwen-Image", "QwenImage", "image", STILL, net=QWEN),
    family("Qwen-Image-Edit", "QwenImage", "image", STILL, net=QWEN, extra=edited(*STILL)),
    family("JoyImage", "JoyImage", "image", STILL,
           net={"hidden_size": 128, "num_attention_heads": 1, "text_dim": 32, "mlp_width_ratio": 1.0, "num_layers": 1}),
    family("Ideogram 4", "Ideogram4", "image", WIDE,
           net={"num_layers": 1, "num_attention_heads": 1, "attention_head_dim": 128, "intermediate_size": 64, "adaln_dim": 32,
                "llm_features_dim": 32}),
    family("Krea 2", "Krea2", "image", STILL,
           net={"features": 128, "tdim": 32, "txtdim": 32, "heads": 1, "kvheads": 1, "multiplier": 1, "layers": 1, "txtlayers": 1,
                "txtheads": 1, "txtkvheads": 1}),
    family("ERNIE-Image", "ErnieImage", "image", WIDE,
           net={"hidden_size": 128, "num_attention_heads": 1, "num_layers": 1, "ffn_hidden_size": 64, "text_in_dim": 32}),
    family("HunyuanImage 2.1", "HunyuanImage21", "image", (64, 8, 8),
           net={**HUNYUAN, "in_channels": 64, "out_channels": 64, "patch_size": [1, 1], "vec_in_dim": None, "axes_dim": [64, 64]}),
    family("HunyuanImage 2.1 Refiner", "HunyuanImage21Refiner", "image", (64, 1, 8, 8), decoded=(32, 1, 8, 8), extra=beside(32, 1, 8, 8),
           net={**HUNYUAN, "in_channels": 128, "out_channels": 64, "patch_size": [1, 1, 1], "vec_in_dim": None, "meanflow": True}),
    family("Kandinsky 5 image", "Kandinsky5Image", "image", STILL, pooled=(16,),
           net={"in_text_dim": 32, "in_text_dim2": 16, "time_dim": 32, "model_dim": 128, "ff_dim": 64, "visual_embed_dim": 64,
                "num_text_blocks": 1, "num_visual_blocks": 1, "axes_dims": (32, 48, 48)}),
    family("Cosmos Predict 2 image", "CosmosT2IPredict2", "image", STILL, net=COSMOS),
    family("Anima", "Anima", "image", STILL, net={**COSMOS, "crossattn_emb_channels": 1024}, context=1024, unused="llm_adapter."),
)  # fmt: skip
