"""Published weights: what is known, where it is, how large it is and under which licence, to be fetched by the user."""

from dataclasses import dataclass

HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class Published:
    """Weights that are known.

    Args:
        name: What they are called in the folder of verifiers: a file, or a folder that holds `files`.
        files: Names in the repository.
        repository: Where to get them.
        size: Of all the files, in bytes, rounded.
        licence: As the repository states it.
        about: What they judge, in a few words.
        needs: What else must be there.
    """

    name: str
    files: tuple[str, ...]
    repository: str
    size: int
    licence: str
    about: str
    needs: tuple["Published", ...] = ()


OPEN_CLIP = ("open_clip_config.json", "open_clip_model.safetensors")
TRANSFORMERS = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "model.safetensors",
)
CLASSIFIER = ("config.json", "preprocessor_config.json", "model.safetensors")

OPENAI_CLIP_L = Published(
    name="vit_large_patch14_clip_224.openai",
    files=OPEN_CLIP,
    repository=HUB + "timm/vit_large_patch14_clip_224.openai",
    size=1_710_000_000,
    licence="Apache-2.0",
    about="CLIP score, and the trunk of LAION aesthetic",
)
SIGLIP_SO400M = Published(
    name="siglip-so400m-patch14-384",
    files=TRANSFORMERS,
    repository=HUB + "google/siglip-so400m-patch14-384",
    size=3_510_000_000,
    licence="Apache-2.0",
    about="CLIP score, and the trunk of Aesthetic V2.5",
)
WORDS = Published(
    name="bert-base-uncased",
    files=("vocab.txt",),
    repository=HUB + "google-bert/bert-base-uncased",
    size=231_508,
    licence="Apache-2.0",
    about="the words of ImageReward",
)
PUBLISHED = (
    OPENAI_CLIP_L,
    Published(
        name="CLIP-ViT-H-14-laion2B-s32B-b79K",
        files=OPEN_CLIP,
        repository=HUB + "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        size=3_940_000_000,
        licence="MIT",
        about="CLIP score, slower and closer to the prompt",
    ),
    Published(
        name="siglip2-so400m-patch14-384",
        files=TRANSFORMERS,
        repository=HUB + "google/siglip2-so400m-patch14-384",
        size=4_540_000_000,
        licence="Apache-2.0",
        about="CLIP score with SigLIP 2",
    ),
    SIGLIP_SO400M,
    Published(
        name="ImageReward.pt",
        files=("ImageReward.pt",),
        repository=HUB + "THUDM/ImageReward",
        size=1_790_000_000,
        licence="Apache-2.0",
        about="ImageReward, human preference",
        needs=(WORDS,),
    ),
    Published(
        name="PickScore_v1",
        files=TRANSFORMERS,
        repository=HUB + "yuvalkirstain/PickScore_v1",
        size=3_940_000_000,
        licence="no licence stated",
        about="PickScore, human preference",
    ),
    Published(
        name="HPS_v2.1_compressed.pt",
        files=("HPS_v2.1_compressed.pt",),
        repository=HUB + "xswu/HPSv2",
        size=1_970_000_000,
        licence="Apache-2.0",
        about="HPSv2.1, human preference",
    ),
    Published(
        name="HPS_v2_compressed.pt",
        files=("HPS_v2_compressed.pt",),
        repository=HUB + "xswu/HPSv2",
        size=1_970_000_000,
        licence="Apache-2.0",
        about="HPSv2, human preference",
    ),
    Published(
        name="sac+logos+ava1-l14-linearMSE.pth",
        files=("sac+logos+ava1-l14-linearMSE.pth",),
        repository="https://github.com/christophschuhmann/improved-aesthetic-predictor",
        size=3_714_759,
        licence="Apache-2.0",
        about="LAION aesthetic",
        needs=(OPENAI_CLIP_L,),
    ),
    Published(
        name="aesthetic_predictor_v2_5.pth",
        files=("aesthetic_predictor_v2_5.pth",),
        repository="https://github.com/discus0434/aesthetic-predictor-v2-5",
        size=2_644_834,
        licence="AGPL-3.0",
        about="Aesthetic V2.5",
        needs=(SIGLIP_SO400M,),
    ),
    Published(
        name="nsfw_image_detection",
        files=CLASSIFIER,
        repository=HUB + "Falconsai/nsfw_image_detection",
        size=343_000_000,
        licence="Apache-2.0",
        about="safety",
    ),
    Published(
        name="nsfw-image-detection-384",
        files=("config.json", "model.safetensors"),
        repository=HUB + "Marqo/nsfw-image-detection-384",
        size=22_400_000,
        licence="Apache-2.0",
        about="safety, small",
    ),
    Published(
        name="stable-diffusion-safety-checker",
        files=("config.json", "preprocessor_config.json", "pytorch_model.bin"),
        repository=HUB + "CompVis/stable-diffusion-safety-checker",
        size=1_220_000_000,
        licence="CreativeML OpenRAIL-M",
        about="safety, as distance from unwanted concepts",
    ),
)
ENCODERS = (
    Published(
        name="dinov2-base",
        files=CLASSIFIER,
        repository=HUB + "facebook/dinov2-base",
        size=346_000_000,
        licence="Apache-2.0",
        about="likeness to a reference picture",
    ),
    Published(
        name="dinov2-large",
        files=CLASSIFIER,
        repository=HUB + "facebook/dinov2-large",
        size=1_220_000_000,
        licence="Apache-2.0",
        about="likeness to a reference picture, closer",
    ),
)
VISION_LANGUAGE = (
    Published(
        name="Qwen3-VL-2B-Instruct",
        files=("all its .json, .txt and .safetensors files",),
        repository=HUB + "Qwen/Qwen3-VL-2B-Instruct",
        size=4_300_000_000,
        licence="Apache-2.0",
        about="looks and answers, small",
    ),
    Published(
        name="Qwen3-VL-4B-Instruct",
        files=("all its .json, .txt and .safetensors files",),
        repository=HUB + "Qwen/Qwen3-VL-4B-Instruct",
        size=8_900_000_000,
        licence="Apache-2.0",
        about="looks and answers",
    ),
)


def published(name: str) -> Published | None:
    """What is known under a name in the folder of verifiers."""
    return next((known for known in (*PUBLISHED, *ENCODERS, *VISION_LANGUAGE) if known.name == name), None)


def licence_of(name: str) -> str:
    known = published(name)
    return known.licence if known else ""
