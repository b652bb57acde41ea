"""Workflows that people have, in small: which text is the prompt, and what the node says where there is none yet."""

from types import SimpleNamespace

import pytest
from noise_search.tests.nodes.graphs import Brightness, drop_in

FOX = "a red fox in the snow, morning light"
BLURRY = "blurry, low contrast"


@pytest.fixture
def trace(whole_host):
    return whole_host.part("nodes.host.graph.prompt_text").trace_prompt


def node(kind, title="", **inputs):
    return {"class_type": kind, "inputs": inputs, **({"_meta": {"title": title}} if title else {})}


def encode(text, kind="CLIPTextEncode", name="text"):
    return node(kind, "The scene", clip=["clip", 0], **{name: text})


def search(positive=("positive", 0), negative=("negative", 0)):
    return node("NoiseSearch", positive=list(positive), negative=list(negative))


def setup(guider=("guider", 0)):
    return node("SamplingSetupCustom", guider=list(guider))


def written(text, **nodes):
    """A Noise Search whose prompt comes from `text`, which is one of the nodes."""
    return {"search": search(), "positive": encode(text), "negative": encode(BLURRY), **nodes}


def string(text):
    return node("PrimitiveStringMultiline", value=text)


# --- nodes that give more than conditioning


def test_the_model_comes_out_before_both_prompts(trace):
    graph = {
        "setup": setup(),
        "guider": node("CFGGuider", cfg=1.0, positive=["rate", 0], negative=["rate", 1]),
        "rate": node("LTXVConditioning", frame_rate=25.0, positive=["voice", 1], negative=["voice", 2]),
        "voice": node("LTXVReferenceAudio", positive=["positive", 0], negative=["negative", 0]),
        "positive": encode(["scene", 0]),
        "scene": string(FOX),
        "negative": encode(BLURRY),
    }
    assert trace(graph, "setup", "guider").text == FOX
    graph["guider"]["inputs"]["positive"] = ["rate", 1]
    assert trace(graph, "setup", "guider").text == BLURRY


def test_a_talking_picture_s_model_comes_out_before_both_prompts(trace):
    graph = {
        "setup": setup(),
        "guider": node("CFGGuider", cfg=1.0, positive=["talk", 1], negative=["talk", 2]),
        "talk": node("WanInfiniteTalkToVideo", mode="two_speakers", positive=["positive", 0], negative=["zero", 0]),
        "zero": node("ConditioningZeroOut", conditioning=["positive", 0]),
        "positive": encode(FOX),
    }
    assert trace(graph, "setup", "guider").text == FOX


def test_a_subject_s_video_has_one_positive_and_two_negative_outputs(trace):
    subject = node("WanPhantomSubjectToVideo", positive=["positive", 0], negative=["negative", 0])
    graph = written(FOX, subject=subject)
    graph["search"] = search(("subject", 0), ("subject", 2))
    assert trace(graph, "search", "positive").text == FOX
    assert trace(graph, "search", "negative").text == BLURRY


def test_a_node_of_another_pack_that_gives_the_negative_prompt_first_is_believed(trace, monkeypatch):
    import nodes as host_nodes

    class Turned:
        RETURN_TYPES, RETURN_NAMES = ("CONDITIONING", "CONDITIONING"), ("negative", "positive")

        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"positive": ("CONDITIONING",), "negative": ("CONDITIONING",)}}

    monkeypatch.setitem(host_nodes.NODE_CLASS_MAPPINGS, "Turned", Turned)
    graph = written(FOX, turned=node("Turned", positive=["positive", 0], negative=["negative", 0]))
    graph["search"] = search(("turned", 1), ("turned", 0))
    assert trace(graph, "search", "positive").text == FOX
    assert trace(graph, "search", "negative").text == BLURRY


def test_an_encoder_with_a_field_for_each_prompt_gives_each_by_its_own_output(trace):
    both = node(
        "TextEncodeMageFlowEdit", clip=["clip", 0], prompt=FOX, negative_prompt=BLURRY, **{"images.a": ["i", 0]}
    )
    graph = {"search": search(("both", 0), ("both", 1)), "both": both}
    assert trace(graph, "search", "positive").text == FOX
    assert trace(graph, "search", "negative").text == BLURRY


def test_pairs_of_conditionings_are_combined_each_on_its_side(trace):
    pairs = node(
        "PairConditioningCombine",
        positive_A=["positive", 0],
        negative_A=["negative", 0],
        positive_B=["positive", 0],
        negative_B=["negative", 0],
    )
    graph = written(FOX, pairs=pairs)
    graph["search"] = search(("pairs", 0), ("pairs", 1))
    assert trace(graph, "search", "positive").text == FOX
    assert trace(graph, "search", "negative").text == BLURRY


# --- guiders


def test_of_a_guider_for_two_prompts_the_first_is_the_prompt(trace):
    graph = {
        "setup": setup(),
        "guider": node("DualCFGGuider", cond1=["positive", 0], cond2=["negative", 0], negative=["negative", 0]),
        "positive": encode(FOX),
        "negative": encode(BLURRY),
    }
    assert trace(graph, "setup", "guider").text == FOX


def test_a_guider_s_empty_conditioning_is_no_prompt(trace):
    graph = {
        "setup": setup(),
        "guider": node(
            "PerpNegGuider", positive=["positive", 0], negative=["negative", 0], empty_conditioning=["empty", 0]
        ),
        "positive": encode(FOX),
        "negative": encode(BLURRY),
        "empty": encode("an empty room"),
    }
    assert trace(graph, "setup", "guider").text == FOX


def test_a_guider_of_two_models_has_one_prompt(trace):
    graph = {
        "setup": setup(),
        "guider": node("DualModelGuider", cfg=3.0, model=["m", 0], model_negative=["n", 0], positive=["positive", 0]),
        "positive": encode(FOX),
    }
    assert trace(graph, "setup", "guider").text == FOX


# --- switches and previews


def test_a_switch_before_the_encoder_is_read(trace):
    graph = written(
        ["choice", 0],
        choice=node("ComfySwitchNode", switch=["on", 0], on_false=["short", 0], on_true=["long", 0]),
        on=node("PrimitiveBoolean", value=True),
        short=string("a red fox"),
        long=string(FOX),
    )
    assert trace(graph, "search", "positive").text == FOX
    graph["on"]["inputs"]["value"] = False
    assert trace(graph, "search", "positive").text == "a red fox"


def test_a_switch_between_conditionings_is_read(trace):
    graph = written(FOX, choice=node("ComfySwitchNode", switch=True, on_false=["negative", 0], on_true=["positive", 0]))
    graph["search"] = search(("choice", 0))
    assert trace(graph, "search", "positive").text == FOX


def test_a_switch_that_hangs_on_other_switches_is_read(trace):
    graph = written(
        ["choice", 0],
        choice=node("ComfySwitchNode", switch=["both", 0], on_false=["short", 0], on_true=["long", 0]),
        both=node("ComfyAndNode", **{"values.value0": ["on", 0], "values.value1": ["not", 0]}),
        on=node("PrimitiveBoolean", value=True),
        **{"not": node("ComfyNotNode", value=["same", 0])},
        same=node("StringCompare", string_a="a", string_b="b", mode="Equal", case_sensitive=True),
        short=string("a red fox"),
        long=string(FOX),
    )
    assert trace(graph, "search", "positive").text == FOX


def test_a_switch_that_is_set_during_the_run_matters_only_where_its_sides_differ(trace):
    choice = node("ComfySwitchNode", switch=["seen", 0], on_false=["short", 0], on_true=["long", 0])
    graph = written(["choice", 0], choice=choice, seen=node("SomeDetector"), short=string(FOX), long=string(FOX))
    assert trace(graph, "search", "positive").text == FOX
    graph["short"] = string("a red fox")
    assert "connect the output output of ComfySwitchNode (node choice)" in trace(graph, "search", "positive").problem


def test_a_soft_switch_gives_the_side_that_is_connected(trace):
    graph = written(
        ["choice", 0], choice=node("ComfySoftSwitchNode", switch=False, on_true=["long", 0]), long=string(FOX)
    )
    assert trace(graph, "search", "positive").text == FOX


def test_a_preview_on_the_way_hands_on_what_a_switch_behind_it_chose(trace):
    graph = written(
        ["preview", 0],
        preview=node("PreviewAny", source=["choice", 0]),
        choice=node("ComfySwitchNode", switch=["on", 0], on_false=["typed", 0], on_true=["model", 0]),
        on=node("PrimitiveBoolean", value=False),
        model=node("TextGenerate", prompt=["typed", 0], max_length=512),
        typed=string(FOX),
    )
    assert trace(graph, "search", "positive").text == FOX


def test_a_chain_of_previews_and_saved_texts_hands_the_text_on(trace):
    graph = written(
        ["saved", 0],
        saved=node("SaveText", text=["preview", 0], filename_prefix="text", format="txt"),
        preview=node("PreviewAny", source=["first", 0]),
        first=node("PreviewAny", source=["typed", 0]),
        typed=string(FOX),
    )
    assert trace(graph, "search", "positive").text == FOX


def test_a_list_of_choices_gives_the_chosen_text(trace):
    graph = written(
        ["joined", 0],
        joined=node("StringConcatenate", string_a=["choice", 0], string_b=", morning light", delimiter=""),
        choice=node("CustomCombo", choice="a red fox", index=1),
    )
    assert trace(graph, "search", "positive").text == "a red fox, morning light"


# --- texts put together


def test_two_texts_are_joined(trace):
    graph = written(["joined", 0], joined=node("StringConcatenate", string_a="a fox", string_b="snow", delimiter=", "))
    assert trace(graph, "search", "positive").text == "a fox, snow"


def test_a_template_s_blank_is_filled_in(trace):
    graph = written(
        ["filled", 0],
        filled=node("StringReplace", string="[what], oil painting", find="[what]", replace=["trimmed", 0]),
        trimmed=node("StringTrim", string="  a red fox\n", mode="Both"),
    )
    assert trace(graph, "search", "positive").text == "a red fox, oil painting"


def test_what_a_pattern_finds_in_a_text_is_the_prompt(trace):
    graph = written(
        ["found", 0],
        found=node(
            "RegexExtract",
            string=["all", 0],
            regex_pattern="scene: (.*)",
            mode="First Group",
            case_insensitive=True,
            multiline=False,
            dotall=False,
            group_index=1,
        ),
        all=string(f"Style: oil\nScene: {FOX}\nCamera: wide"),
    )
    assert trace(graph, "search", "positive").text == FOX


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        (f"You are an assistant designed to generate superior images. <Prompt Start> {FOX}", FOX),
        ("You are a helpful assistant.make it night", "make it night"),
        (f"<|im_start|>system\nDescribe.<|im_end|>\n<|im_start|>user\n{FOX}<|im_end|>\n<|im_start|>assistant\n", FOX),
    ],
)
def test_what_tells_a_language_model_its_part_is_cut(trace, text, prompt):
    assert trace(written(text), "search", "positive").text == prompt


# --- texts that a model writes during the run


def test_a_text_that_a_model_writes_is_to_be_connected_and_the_socket_is_named(trace):
    graph = written(["writer", 0], writer=node("TextGenerate", "Enhancer", prompt="a fox", max_length=512))
    found = trace(graph, "search", "positive")
    assert found.text == ""
    assert found.problem == (
        "the text is written while the workflow runs, so connect the output generated_text of Enhancer (node writer),"
        " which goes into The scene (node positive), to prompt as well"
    )
    assert (found.socket.node, found.socket.slot) == ("writer", 0)


def test_the_socket_is_the_last_one_before_the_encoder_so_that_the_very_text_is_connected(trace):
    graph = written(
        ["joined", 0],
        joined=node("StringConcatenate", string_a="oil painting: ", string_b=["writer", 0], delimiter=""),
        writer=node("TextGenerate", prompt="a fox", max_length=512),
    )
    assert trace(graph, "search", "positive").socket.node == "joined"


def test_a_caption_of_a_picture_is_to_be_connected_too(trace):
    graph = written(["caption", 1], caption=node("SomeCaptioner", "Caption", image=["picture", 0], task="detailed"))
    assert "connect the output number 2 of Caption (node caption)" in trace(graph, "search", "positive").problem


def test_a_written_text_beside_a_typed_one_is_to_be_typed(trace):
    both = node("ConditioningCombine", conditioning_1=["positive", 0], conditioning_2=["other", 0])
    graph = written(FOX, both=both, other=encode(["writer", 0]), writer=node("TextGenerate", prompt="a fox"))
    graph["search"] = search(("both", 0))
    found = trace(graph, "search", "positive")
    assert repr(FOX) in found.problem
    assert "type what the picture should show into prompt" in found.problem
    assert found.socket is None


# --- conditioning without a text of its own


def test_an_emptied_conditioning_adds_no_text(trace):
    both = node("ConditioningCombine", conditioning_1=["positive", 0], conditioning_2=["zero", 0])
    graph = written(FOX, both=both, zero=node("ConditioningZeroOut", conditioning=["negative", 0]))
    graph["search"] = search(("both", 0))
    assert trace(graph, "search", "positive").text == FOX


def test_the_label_of_a_box_is_no_prompt(trace):
    box = node("GLIGENTextBoxApply", conditioning_to=["positive", 0], clip=["clip", 0], text="a tail", width=64)
    graph = written(FOX, box=box)
    graph["search"] = search(("box", 0))
    assert trace(graph, "search", "positive").text == FOX


def test_a_picture_that_becomes_a_video_without_words_has_no_prompt(trace):
    graph = {"search": search(("video", 0)), "video": node("SVD_img2vid_Conditioning", "Video", init_image=["p", 0])}
    found = trace(graph, "search", "positive")
    assert found.problem.startswith("Video (node video) makes it from no text; type what")


# --- orders to change a picture


def test_an_editing_model_is_told_to_make_the_kettle_blue(trace):
    texts = {"positive": "Make the kettle blue.", "negative": ""}
    encoders = {name: encode(text, "TextEncodeQwenImageEditPlus", "prompt") for name, text in texts.items()}
    found = trace({"search": search(), **encoders}, "search", "positive")
    assert found.text == "Make the kettle blue."
    assert found.edits


@pytest.mark.parametrize(
    "text", ["Remove the balloons", "the fox from image 2 on the chair of image 1", "把帽子换成红色"]
)
def test_a_text_with_a_picture_beside_it_that_reads_like_an_order_is_one(trace, text):
    graph = written(text, reference=node("ReferenceLatent", conditioning=["positive", 0], latent=["before", 0]))
    graph["search"] = search(("reference", 0))
    assert trace(graph, "search", "positive").edits


def test_a_description_with_a_picture_of_the_character_beside_it_is_no_order(trace):
    graph = written(FOX, reference=node("ReferenceLatent", conditioning=["positive", 0], latent=["before", 0]))
    graph["search"] = search(("reference", 0))
    assert not trace(graph, "search", "positive").edits


def test_a_prompt_without_any_picture_is_no_order_even_if_it_begins_like_one(trace):
    assert not trace(written("Make-up of the twenties, a portrait"), "search", "positive").edits


def test_the_editing_model_s_encoder_without_a_picture_makes_pictures_from_descriptions(trace):
    graph = {"search": search(), "positive": encode(FOX, "TextEncodeMageFlowEdit", "prompt")}
    assert not trace(graph, "search", "positive").edits


# --- the host's own nodes, which are computed here without running them

OPTIONS = {"case_insensitive": True, "multiline": False, "dotall": False}
TEXT = "Scene: A red Fox\nscene: a grey wolf"
SAME = [
    ("StringConcatenate", {"string_a": "a", "string_b": "b", "delimiter": "; "}),
    ("StringReplace", {"string": TEXT, "find": "scene", "replace": "view"}),
    ("StringSubstring", {"string": TEXT, "start": 2, "end": -3}),
    ("StringLength", {"string": TEXT}),
    *[("StringTrim", {"string": "  a \n", "mode": mode}) for mode in ("Both", "Left", "Right")],
    *[
        ("CaseConverter", {"string": TEXT, "mode": mode})
        for mode in ("UPPERCASE", "lowercase", "Capitalize", "Title Case")
    ],
    *[("StringContains", {"string": TEXT, "substring": "GREY", "case_sensitive": exact}) for exact in (True, False)],
    *[
        ("StringCompare", {"string_a": TEXT, "string_b": part, "mode": mode, "case_sensitive": exact})
        for mode in ("Starts With", "Ends With", "Equal")
        for part in ("scene", "WOLF", TEXT)
        for exact in (True, False)
    ],
    *[("RegexMatch", {"string": TEXT, "regex_pattern": found, **OPTIONS}) for found in ("wolf$", "^bear")],
    *[
        ("RegexExtract", {"string": TEXT, "regex_pattern": found, "mode": mode, "group_index": group, **OPTIONS})
        for mode in ("First Match", "All Matches", "First Group", "All Groups")
        for found in ("scene: (a) (.*)", "scene: .*", r"a (\w+)")
        for group in (1, 2)
    ],
    ("RegexReplace", {"string": TEXT, "regex_pattern": r"scene: (\w)", "replace": r"\1-", "count": 1, **OPTIONS}),
    *[("JsonExtractString", {"json_string": '{"a": "fox", "b": null, "c": 3}', "key": key}) for key in "abcd"],
    ("JsonExtractString", {"json_string": "no json", "key": "a"}),
    ("StringFormat", {"f_string": "{a} and {b}, {{c}}", "values": {"a": "fox", "b": 2}}),
    ("PrimitiveString", {"value": TEXT}),
    ("PrimitiveStringMultiline", {"value": TEXT}),
    ("PrimitiveBoolean", {"value": True}),
    ("PrimitiveInt", {"value": 3}),
    ("PrimitiveFloat", {"value": 0.5}),
    ("CustomCombo", {"choice": "fox", "index": 2}),
    ("ComfyNotNode", {"value": ""}),
    ("ComfyAndNode", {"values": {"value0": True, "value1": 0}}),
    ("ComfyOrNode", {"values": {"value0": True, "value1": 0}}),
]


@pytest.mark.parametrize(("kind", "inputs"), SAME, ids=[kind for kind, _ in SAME])
def test_a_text_node_gives_what_the_host_makes_of_it(whole_host, kind, inputs):
    import nodes as host_nodes

    values = whole_host.part("nodes.host.graph.values").Values
    made = host_nodes.NODE_CLASS_MAPPINGS[kind].execute(**inputs).result
    grown = {f"values.{name}": value for name, value in inputs.get("values", {}).items()}
    plain = {name: value for name, value in inputs.items() if name != "values"}
    found = values({"text": node(kind, **plain, **grown)})
    assert tuple(found.of(["text", slot]) for slot in range(len(made))) == tuple(made)


def test_every_text_node_that_is_computed_is_compared_with_the_host_s(whole_host):
    computed = whole_host.part("nodes.host.graph.text_nodes").COMPUTED
    assert {kind for kind, _ in SAME} == set(computed) - {"PreviewAny", "SaveText"}  # they write files and show texts


@pytest.mark.parametrize("value", ["a fox", 3, 0.5, True, {"a": [1, None]}])
def test_a_preview_gives_what_the_host_shows(whole_host, value):
    import nodes as host_nodes

    values = whole_host.part("nodes.host.graph.values").Values
    shown = host_nodes.NODE_CLASS_MAPPINGS["PreviewAny"]().main(value)["result"][0]
    assert values({"text": node("PreviewAny", source=value)}).of(["text", 0]) == shown


# --- a whole search


class Clip:
    """A text encoder of the toy model, which knows one conditioning only."""

    def __init__(self, conditioning):
        self.conditioning = conditioning

    def tokenize(self, text):
        return text

    def encode_from_tokens_scheduled(self, tokens):
        return self.conditioning


class Reader(Brightness):
    card = SimpleNamespace(name="Reader", prompt=True, token_limit=None, spread=1.0, range="0 to 1", cost="light")


@pytest.fixture
def edited(whole_host, judge):
    """A search among pictures that an editing model makes of another one."""
    whole_host.toys.VALUES["clip"] = Clip(whole_host.toys.conditioning("sd3", 1))
    return {
        **drop_in(positive=["reference", 0], verifier=["v", 0], pictures=2),
        "clip": node("ToyValue", name="clip"),
        "reference": node("ReferenceLatent", conditioning=["positive", 0], latent=["1", 3]),
        "positive": encode("Remove the balloons"),
        **judge(Reader()),
        "keep": node("ToyKeep", value=["2", 3], name="score"),
    }


def said(host, graph):
    result = host.run(graph)
    assert result.ok, result.error
    return result.outputs["2"]["text"][0]


def test_a_search_says_once_that_its_judge_takes_an_order_for_a_description(whole_host, edited):
    text = said(whole_host, edited)
    assert text.count("The prompt seems to be an order to change a picture, and Reader takes it for a description") == 1
    edited["positive"]["inputs"]["text"] = FOX
    assert "an order" not in said(whole_host, edited)


def test_who_types_what_the_picture_should_show_is_not_told_again(whole_host, edited):
    edited["2"]["inputs"]["prompt"] = "an empty sky"
    assert "an order" not in said(whole_host, edited)


def test_a_written_order_that_is_connected_as_the_node_said_is_still_an_order(whole_host, edited):
    edited["order"] = node("StringConcatenate", string_a=["idea", 0], string_b=" the balloons", delimiter="")
    edited["idea"] = node("ToyValue", name="idea")
    whole_host.toys.VALUES["idea"] = "Remove"
    edited["positive"] = node("TextEncodeKontextToy", clip=["clip", 0], text=["order", 0])
    assert (
        "an order"
        in whole_host.part("nodes.host.judges.host_verifier").order_note(
            Reader(),
            "Remove the balloons",
            whole_host.part("nodes.host.graph.prompt_text").trace_prompt(edited, "2", "positive"),
        )[0]
    )
