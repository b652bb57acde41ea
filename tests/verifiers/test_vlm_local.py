"""A vision-language model on this machine: a tiny one with random weights, loaded from a folder as real ones are."""

import json

import pytest
import torch
from noise_search.tests.verifiers.tiny_vlm import MARKS, WORDS, write_vlm
from noise_search.verifiers.images import bytes_of
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_chat import Ask
from noise_search.verifiers.vlm_local import LocalChat
from noise_search.verifiers.vlm_reply import ReplyError
from noise_search.verifiers.weights import WeightsError
from PIL import Image
from safetensors.torch import load_file, save_file

TEXT = 'Does this picture show "a red cube"?\nAnswer yes or no, with this one word only.'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_vlm(tmp_path_factory.mktemp("vlm") / "tiny")


@pytest.fixture
def chat(folder):
    return LocalChat.load(folder)


def pil(images):
    return [Image.fromarray(picture) for picture in bytes_of(images).numpy()]


def test_the_probability_of_yes_is_that_of_the_models_own_next_token(chat, images):
    value = VlmScore(chat).measure(images[:1], "a red cube").item()
    talk = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": TEXT}]}]
    text = chat.processor.apply_chat_template(talk, add_generation_prompt=True)
    inputs = chat.processor(text=[text], images=pil(images[:1]), return_tensors="pt")
    made = chat.model.generate(
        **inputs.to(chat.model.device),
        max_new_tokens=1,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    chances = made.scores[0][0].softmax(0)
    yes, no = (
        sum(chances[len(MARKS) + 1 + WORDS.index(word)] for word in words) for words in (("Yes", "yes"), ("No", "no"))
    )
    assert value == pytest.approx((yes / (yes + no)).item(), abs=1e-5)


def test_a_batch_measures_as_its_pictures_one_by_one_and_in_any_order(chat, images):
    verifier = VlmScore(chat, "questions", "Does this show a red cube?\nDoes this show a house?")
    values = verifier.measure(images, "a red cube")
    single = torch.cat([verifier.measure(image[None], "a red cube") for image in images])
    torch.testing.assert_close(values, single, rtol=0, atol=5e-5)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(verifier.measure(images[order], "a red cube"), values[order], rtol=0, atol=5e-5)
    assert values.shape == (5, 2) and values.dtype == torch.float32


def test_picture_and_prompt_matter(chat, images):
    verifier = VlmScore(chat)
    values = verifier.measure(images, "a red cube")
    assert len(set(values[:, 0].tolist())) == 5
    assert not torch.equal(values, verifier.measure(images, "a blue house"))


def test_a_comparison_turned_round_says_the_opposite(chat, images):
    verifier = VlmScore(chat)
    chances = verifier.compare(images, images.flip(0), "a red cube")
    torch.testing.assert_close(
        chances + verifier.compare(images.flip(0), images, "a red cube"), torch.ones(5), rtol=0, atol=1e-6
    )
    assert chances[2] == pytest.approx(0.5, abs=1e-6) and chances[0] != pytest.approx(0.5, abs=1e-6)


def test_replies_are_the_models_own_and_know_whether_they_were_cut(chat, images):
    (picture,) = pil(images[:1])
    ask = Ask((picture,), TEXT, "picture 1")
    long, short = (chat.replies([ask], tokens, None)[0] for tokens in (40, 3))
    assert short.cut and long.text.startswith(short.text) and set(short.text.split()) <= set(WORDS)
    # whatever it says, it has finished
    chat.model.generation_config.eos_token_id = list(range(len(MARKS) + 1 + len(WORDS)))
    assert not chat.replies([ask], 3, None)[0].cut


def test_a_model_that_does_not_answer_in_the_form_is_an_error_that_quotes_it(chat, images, monkeypatch):
    monkeypatch.setattr("noise_search.verifiers.vlm_chat.TOKENS", (4, 5))
    with pytest.raises(ReplyError, match="picture 1 of 1: tiny must answer with a score for Accuracy to prompt"):
        VlmScore(chat, "rubric").measure(images[:1], "a red cube")


def test_an_interrupt_stops_it_between_two_words(folder, images):
    class Interrupt(Exception):
        pass

    looks = []

    def check():
        looks.append(1)
        if len(looks) == 4:
            raise Interrupt

    (picture,) = pil(images[:1])
    with pytest.raises(Interrupt):
        LocalChat.load(folder, check).replies([Ask((picture,), TEXT, "picture 1")], 1000, None)


def test_a_missing_weight_is_an_error_and_no_random_one(folder, tmp_path):
    broken = copied(folder, tmp_path)
    state = load_file(broken / "model.safetensors")
    name = next(name for name in state if name.endswith("norm.weight"))
    save_file(
        {key: value for key, value in state.items() if key != name}, broken / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(WeightsError, match="1 missing .*norm.weight"):
        LocalChat.load(broken)


def test_a_weight_of_another_shape_is_an_error(folder, tmp_path):
    broken = copied(folder, tmp_path)
    state = load_file(broken / "model.safetensors")
    name = next(name for name in state if name.endswith("norm.weight"))
    save_file({**state, name: torch.ones(3)}, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="1 of another shape"):
        LocalChat.load(broken)


def test_weights_keep_the_precision_of_the_file(folder, tmp_path):
    half = copied(folder, tmp_path)
    state = {key: value.bfloat16() for key, value in load_file(half / "model.safetensors").items()}
    save_file(state, half / "model.safetensors", {"format": "pt"})
    config = json.loads((half / "config.json").read_text())
    (half / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16", "torch_dtype": "bfloat16"}))
    chat = LocalChat.load(half)
    assert {weight.dtype for weight in chat.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"model_type": "clip", "vision_config": {}, "architectures": ["CLIPModel"]},
            "must be a vision-language model of transformers, got clip",
        ),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "got llama"),
        (
            {"model_type": "newest", "vision_config": {}, "architectures": ["NewestForConditionalGeneration"]},
            "does not open with transformers",
        ),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, settings, problem):
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(WeightsError, match=problem):
        LocalChat.load(tmp_path)


def test_a_program_in_the_folder_is_never_run(folder, tmp_path):
    wild = copied(folder, tmp_path)
    config = json.loads((wild / "config.json").read_text())
    automatic = dict.fromkeys(("AutoConfig", "AutoModel", "AutoModelForImageTextToText"), "evil.Model")
    (wild / "config.json").write_text(json.dumps(config | {"auto_map": automatic}))
    (wild / "evil.py").write_text("raise SystemExit('run')")
    assert LocalChat.load(wild).name == wild.name


def test_words_that_are_no_single_tokens_are_an_error(tmp_path, images):
    chat = LocalChat.load(write_vlm(tmp_path / "mute", words=["red", "cube", "A", "B"]))
    with pytest.raises(WeightsError, match="must know yes and no as single tokens"):
        VlmScore(chat).measure(images[:1], "a red cube")


def copied(folder, tmp_path):
    import shutil

    return shutil.copytree(folder, tmp_path / "copy")
