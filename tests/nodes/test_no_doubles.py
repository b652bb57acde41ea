"""Judges on a card without 64-bit floats, as Apple's and Intel's are: numbers may be widened on the CPU only."""

import pytest
import torch
from noise_search.tests.nodes.test_load_verifier import CHECKPOINTS, PROMPT, loaded
from noise_search.tests.verifiers.tiny_vlm import write_vlm
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_local import LocalChat
from torch import Tensor

WIDENING = {torch.float64, torch.complex128}


class OnCard(Tensor):
    """A tensor that a card without 64-bit floats gave: it refuses to be widened there, and so does all made of it."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        named = {*(one for one in args if isinstance(one, torch.dtype)), *(kwargs or {}).values()} if args else set()
        wanted = {one for one in named if isinstance(one, torch.dtype)}
        if function is Tensor.double or wanted & WIDENING:
            raise TypeError("this card has no 64-bit floats")
        found = super().__torch_function__(function, types, args, kwargs or {})
        leaves = function is Tensor.cpu or (function is Tensor.to and any(str(one) == "cpu" for one in args[1:]))
        return found.as_subclass(Tensor) if leaves else found


def on_card(output):
    if isinstance(output, Tensor):
        return output.as_subclass(OnCard)
    if isinstance(output, tuple) and type(output) is tuple:
        return tuple(map(on_card, output))
    if isinstance(output, dict):  # what transformers gives is a dictionary with attributes
        for name, value in list(output.items()):
            output[name] = on_card(value)
    return output


def put_on_card(modules):
    hooks = []
    for module in modules:
        for part in module.modules():
            hooks.append(part.register_forward_hook(lambda part, given, output: on_card(output)))
    return hooks


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_judge_widens_nothing_on_the_card_and_says_the_same(host, folder, open_clip, name):
    write, choice, *_ = CHECKPOINTS[name]
    write(folder, open_clip)
    verifier = loaded(host, choice)
    pictures = torch.rand(2, 40, 56, 3, generator=torch.Generator().manual_seed(1))
    expected = host.call(lambda: verifier.measure(pictures, PROMPT))
    hooks = put_on_card(verifier.modules)
    found = host.call(lambda: verifier.measure(pictures, PROMPT))
    for hook in hooks:
        hook.remove()
    assert type(found) is Tensor
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_yes_of_a_model_that_reads_and_sees_is_widened_on_the_cpu(tmp_path):
    write_vlm(tmp_path / "vlm")
    judge = VlmScore(LocalChat.load(tmp_path / "vlm"), "yes or no")
    pictures = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    expected = judge.measure(pictures, PROMPT)
    hooks = put_on_card(judge.modules)
    found = judge.measure(pictures, PROMPT)
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_card_of_these_tests_refuses_what_a_real_one_does():
    one = torch.ones(2).as_subclass(OnCard)
    for widen in (
        lambda: one.double(),
        lambda: one.to(torch.float64),
        lambda: (one + 1).softmax(0, dtype=torch.float64),
    ):
        with pytest.raises(TypeError, match="no 64-bit floats"):
            widen()
    assert type(one.cpu()) is Tensor and (one * 2).cpu().double().dtype is torch.float64
