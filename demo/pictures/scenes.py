"""Which graph shows which node, and what of it is on the picture."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import graphs as g
from .studio import Graph

PANEL = (430, 1)


@dataclass(frozen=True)
class Scene:
    """A graph, and the nodes that are on the picture, column by column.

    Args:
        runs: Whether it is queued before the picture is taken.
        sizes: Widths and least heights of nodes, in pixels.
    """

    graph: Graph
    columns: list[list[str]]
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    runs: bool = True


def a_search(kind: str, **inputs) -> Scene:
    return Scene(g.search(kind, **inputs), [["search"]], {"search": PANEL})


def help_scenes(vlm_url: str) -> dict[str, Scene]:
    """One picture per node, by its id. `vlm_url`: an OpenAI-compatible server that can be asked."""
    vlm = {"vlm": g.node("VLMVerifier", base_url=vlm_url, model_name="tiny", text="Does the picture show {prompt}?")}
    return {
        **searches(vlm),
        **setups(),
        **verifiers(vlm),
        **noises(),
        "SearchReport": Scene(
            {
                **g.search("AutoSearch", pictures=24, keep=4),
                "report": g.node("SearchReport", trace=["search", g.TRACE], images=["search", g.IMAGE], top_k=4),
            },
            [["report"]],
            {"report": (640, 800)},
        ),
        "SeedSheet": Scene(g.sheet(), [["sheet"]], {"sheet": (640, 1)}),
    }


def searches(vlm: Graph) -> dict[str, Scene]:
    fix = {
        **g.picture(),
        **g.search("RefineSearch", image=["picture", 0], mask=["picture", 1], size=64, context=2.5, seed=9),
    }
    fix["winners"]["title"] = "What comes out"
    fix["positive"]["inputs"]["text"] = "a red circle and a blue square"
    return {
        "NoiseSearch": Scene(g.drop_in(), [["search"]], {"search": PANEL}),
        "RandomSearch": a_search("RandomSearch"),
        "ZeroOrderSearch": a_search("ZeroOrderSearch", pictures=16),
        "LocalSearch": a_search("LocalSearch", pictures=16),
        "AutoSearch": a_search("AutoSearch", pictures=16),
        "DraftSearch": a_search("DraftSearch"),
        "PathSearch": a_search("PathSearch", pictures=16),
        "SteeredSearch": a_search("SteeredSearch", pictures=16),
        "RefineSearch": Scene(
            fix, [["picture", "winners"], ["search"]], {"search": PANEL, "picture": (300, 380), "winners": (300, 330)}
        ),
        "PairwiseFinal": Scene(
            {
                **g.search("RandomSearch", judge="final", pictures=8, seed=14),
                **vlm,
                "final": g.node("PairwiseFinal", verifier=["verifier", 0], judge=["vlm", 0], finalists=4),
            },
            [["verifier", "final"], ["search"]],
            {"search": PANEL, "final": (300, 220)},
        ),
        "SelfSupervisedVerifier": Scene(
            {
                **g.search("RandomSearch", judge="self", pictures=8, seed=2),
                "self": g.node("SelfSupervisedVerifier", encoder=g.VERIFIER),
            },
            [["self"], ["search"]],
            {"search": PANEL, "self": (330, 1)},
        ),
    }


def setups() -> dict[str, Scene]:
    inputs = {"checkpoint": (300, 1), "positive": (300, 110), "negative": (300, 90)}
    pair = {
        **g.loaders(),
        "low": g.node("CheckpointLoaderSimple", "Model for low noise", ckpt_name=g.CHECKPOINT),
        "setup": g.node(
            "SamplingSetupTwoStage",
            model_high=["checkpoint", 0],
            model_low=["low", 0],
            positive=["positive", 0],
            negative=["negative", 0],
            latent_image=["latent", 0],
            vae=["checkpoint", 2],
            steps=16,
            cfg=4.0,
            switch_step=8,
        ),
    }
    pair["checkpoint"]["title"] = "Model for high noise"
    custom = g.custom(["candidates", 0])
    custom = {
        name: custom[name] for name in ("checkpoint", "positive", "negative", "latent", "guider", "euler", "sigmas")
    }
    custom["setup"] = g.node(
        "SamplingSetupCustom",
        guider=["guider", 0],
        sampler=["euler", 0],
        sigmas=["sigmas", 0],
        latent_image=["latent", 0],
        vae=["checkpoint", 2],
    )
    custom["latent"]["inputs"]["batch_size"] = 1
    halves = {name: entry for name, entry in custom.items() if name != "setup"}
    halves["low"] = g.node(
        "CFGGuider",
        "Guider for low noise",
        model=["checkpoint", 0],
        positive=["positive", 0],
        negative=["negative", 0],
        cfg=1.5,
    )
    halves["split"] = g.node("SplitSigmas", sigmas=["sigmas", 0], step=8)
    halves["setup"] = g.node(
        "SamplingSetupTwoGuiders",
        guider_high=["guider", 0],
        guider_low=["low", 0],
        sampler=["euler", 0],
        sigmas_high=["split", 0],
        sigmas_low=["split", 1],
        latent_image=["latent", 0],
        vae=["checkpoint", 2],
    )
    stages = {
        **custom,
        "second": g.node(
            "SamplingSetupSecondStage",
            sampling=["setup", 0],
            guider=["guider", 0],
            sampler=["euler", 0],
            sigmas=["sigmas", 0],
            scale_by=1.5,
        ),
    }
    first = {name: entry for name, entry in {**g.loaders(), **g.setup()}.items() if name != "verifier"}
    hires = {**first, "hires": g.node("SamplingSetupHires", sampling=["setup", 0], scale_by=1.5, steps=8, denoise=0.5)}
    return {
        "SamplingSetup": Scene(
            first, [["checkpoint", "positive", "negative", "latent"], ["setup"]], inputs, runs=False
        ),
        "SamplingSetupCustom": Scene(custom, [["guider", "euler", "sigmas", "latent"], ["setup"]], {}, runs=False),
        "SamplingSetupTwoStage": Scene(
            pair, [["checkpoint", "low", "positive", "latent"], ["setup"]], inputs, runs=False
        ),
        "SamplingSetupTwoGuiders": Scene(
            halves, [["guider", "low", "euler", "split", "latent"], ["setup"]], {}, runs=False
        ),
        "SamplingSetupHires": Scene(hires, [["setup"], ["hires"]], {}, runs=False),
        "SamplingSetupSecondStage": Scene(stages, [["setup", "guider", "euler", "sigmas"], ["second"]], {}, runs=False),
    }


def verifiers(vlm: Graph) -> dict[str, Scene]:
    sizes = {"score": (360, 330), "preview": (330, 330), "ranked": (360, 480)}
    technical = g.node("LoadVerifier", "Sharp and clean", verifier="technical quality")
    return {
        "VerifierScore": Scene(g.scored(), [["score"], ["preview"]], sizes),
        "LoadVerifier": Scene(g.scored(seed=14), [["verifier"], ["score"]], sizes),
        "VLMVerifier": Scene({**g.scored("vlm", seed=14), **vlm}, [["vlm"], ["score"]], {**sizes, "vlm": (330, 1)}),
        "EnsembleVerifier": Scene(
            {
                **g.scored("ensemble"),
                "technical": technical,
                "ensemble": g.node(
                    "EnsembleVerifier",
                    **{"verifiers.verifier0": ["verifier", 0], "verifiers.verifier1": ["technical", 0]},
                ),
            },
            [["verifier", "technical", "ensemble"], ["score"]],
            {**sizes, "verifier": (270, 1), "ensemble": (270, 1), "score": (400, 420)},
        ),
        "VerifierSettings": Scene(
            {
                **g.scored("settings"),
                "settings": g.node("VerifierSettings", verifier=["verifier", 0], gate=True, floor=70.0),
            },
            [["verifier", "settings"], ["score"]],
            sizes,
        ),
        "ReferenceVerifier": Scene(
            {
                **g.scored("reference"),
                **g.picture(),
                "reference": g.node("ReferenceVerifier", references=["picture", 0], encoder=g.VERIFIER),
            },
            [["picture"], ["reference", "preview"]],
            {"picture": (280, 340), "reference": (330, 1), "preview": (330, 330)},
        ),
        "VerifierAgreement": Scene(
            {
                **g.seeds(8),
                **g.enlarged("all", ["decode", 0], "Number them from left to right"),
                "technical": technical,
                "ranked": g.node(
                    "VerifierAgreement",
                    images=["decode", 0],
                    ranking="3 5 8 7 1 2 6 4",
                    **{"verifiers.verifier0": ["verifier", 0], "verifiers.verifier1": ["technical", 0]},
                ),
            },
            [["all"], ["ranked"]],
            {**sizes, "all": (360, 480)},
        ),
    }


def noises() -> dict[str, Scene]:
    preview, wide = {"preview": (330, 340)}, {"candidates": (270, 1), "sampler": (270, 1)}
    listed = {**g.seeds(4), **g.enlarged("preview", ["decode", 0], "One picture per seed")}
    varied = {
        **g.custom(["vary", 0]),
        "candidates": g.node("NoiseCandidates", seed=5, count=1),
        "vary": g.node("NoiseVariations", noise=["candidates", 0], count=4, similarity=0.9),
    }
    varied["preview"]["title"] = "The noise and three variations"
    rows = {
        **g.custom(["candidates", 0]),
        "candidates": g.node("NoiseCandidates", seed=5, count=4),
        "euler": g.node("KSamplerSelect", sampler_name="euler_ancestral"),
        "rows": g.node("SamplerPerRow", sampler=["euler", 0], noise=["candidates", 0]),
    }
    rows["sampler"]["inputs"]["sampler"] = ["rows", 0]
    rows["preview"]["title"] = "Each as its seed gives it alone"
    restored = {**g.custom(["restored", 0], count=1), "restored": g.node("NoiseFromRecipe", recipe=RECIPE)}
    return {
        "NoiseCandidates": Scene(listed, [["candidates", "sampler"], ["preview"]], {**preview, **wide}),
        "NoiseVariations": Scene(varied, [["candidates", "vary"], ["preview"]], {**preview, **wide}),
        "SamplerPerRow": Scene(rows, [["candidates", "euler", "rows"], ["preview"]], {**preview, **wide}),
        "NoiseFromRecipe": Scene(restored, [["restored"], ["preview"]], {**preview, "restored": (330, 220)}),
    }


RECIPE = '{"noise_search":1,"shapes":[[16,8,8]],"noise":[["fresh",1]],"settings":{}}'
