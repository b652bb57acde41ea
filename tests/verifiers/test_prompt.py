import pytest
from noise_search.verifiers.prompt import plain


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a cat on a mat", "a cat on a mat"),
        ("a (red:1.3) cat", "a red cat"),
        ("((masterpiece)), (a (blue:0.8) bird:1.1)", "masterpiece, a blue bird"),
        ("(sky : -.5 ) blue", "sky blue"),
        (r"a cat \(siamese\)", "a cat (siamese)"),
        (r"(pikachu \(pokemon\):1.2)", "pikachu (pokemon)"),
        ("<lora:add_detail:0.8> a cat", "a cat"),
        ("a cat, <lora:one:0.8:1>, <lyco:two>", "a cat"),
        ("a cat BREAK a dog", "a cat a dog"),
        ("a breakfast, a break", "a breakfast, a break"),
        ("embedding:EasyNegative, a cat", "a cat"),
        ("(embedding:styles/fine.pt:1.2) a cat", "a cat"),
        ("a clock at 12:30", "a clock at 12:30"),
        ("(ratio 16:9) frame", "ratio 16 frame"),  # as the host reads it: a weight of 9
        ("I <3 cats", "I <3 cats"),
        ("[a cat], {a|b}", "[a cat], {a|b}"),
        ("two\n\nlines,\n  and more", "two lines, and more"),
        ("a :) face", "a : face"),
        ("You are an assistant designed to draw well. <Prompt Start> a (red:1.2) fox", "a red fox"),
        ("You are a helpful assistant.make it night", "make it night"),
        ("You are an assistant", ""),
        ("a robot that says: You are an assistant now", "a robot that says: You are an assistant now"),
        (
            "<|im_start|>system\nDescribe it.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|>"
            "<|vision_end|>a fox<|im_end|>\n<|im_start|>assistant\n",
            "a fox",
        ),
        (
            "<|start_header_id|>system<|end_header_id|>\n\nDescribe.<|eot_id|><|start_header_id|>user"
            "<|end_header_id|>\n\na fox<|eot_id|>",
            "a fox",
        ),
        ("", ""),
        ("<lora:only:1>", ""),
    ],
)
def test_what_only_comfyui_understands_is_left_out(written, read):
    assert plain(written) == read
