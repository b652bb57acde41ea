import re

import pytest
import torch
from noise_search.verifiers.weights import WeightsError, load_strictly, read_tensors
from safetensors.torch import save_file
from torch import nn

STATE = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


def assert_same(read):
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[key], STATE[key]) for key in STATE)


@pytest.mark.parametrize("wrap", [dict, lambda state: {"state_dict": state, "epoch": 7}])
def test_tensors_are_found_plain_or_under_state_dict(tmp_path, wrap):
    torch.save(wrap(STATE), tmp_path / "w.pt")
    assert_same(read_tensors(tmp_path / "w.pt"))


def test_safetensors_are_read(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors")
    assert_same(read_tensors(tmp_path / "w.safetensors"))


def test_the_prefix_of_parallel_training_is_dropped(tmp_path):
    torch.save({f"module.{key}": value for key, value in STATE.items()}, tmp_path / "w.pt")
    assert_same(read_tensors(tmp_path / "w.pt"))


def test_a_missing_file_is_named_with_its_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"w.pt not found in {tmp_path}"):
        read_tensors(tmp_path / "w.pt")


def test_a_pickled_program_is_not_run(tmp_path):
    torch.save(nn.Linear(3, 2), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="w.pt must hold plain tensors"):
        read_tensors(tmp_path / "w.pt")


def test_torchscript_is_refused(tmp_path):
    torch.jit.script(nn.Linear(3, 2)).save(tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="no TorchScript"):
        read_tensors(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize(
    "text",
    [
        "<!doctype html>",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "Repository not found",
        "rate limited",
        "Just a moment...",
        "hello",
        "[]",
        "{}",
        "0",
        "\ufeffcaf\u00e9",
        "cPosix\nsystem\n",
    ],
)
def test_a_page_that_was_saved_in_place_of_weights_is_refused_by_its_first_words(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    words = re.escape(text.lstrip("\ufeff").splitlines()[0][:20])
    with pytest.raises(
        WeightsError, match=rf"{name} must be a file of weights, got one that begins with '{words}.*download it again"
    ):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(WeightsError, match=f"{name} must be a file of weights, got one that is empty"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_half_a_download_is_refused(tmp_path, name):
    save_file(STATE, tmp_path / name) if name.endswith("safetensors") else torch.save(STATE, tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:70])
    with pytest.raises(WeightsError, match=f"{name} must"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("content", [{}, [1, 2], {"a": "text"}, torch.ones(2)])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="must hold named tensors"):
        read_tensors(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"weight": STATE["weight"]}, r"1 missing \(bias\)"),
        (STATE | {"scale": torch.ones(1)}, r"1 unexpected \(scale\)"),
        (STATE | {"bias": torch.zeros(3)}, r"1 of another shape \(bias \(3,\) instead of \(2,\)\)"),
    ],
)
def test_weights_that_do_not_fit_leave_the_module_alone(state, problem):
    module = nn.Linear(3, 2)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(WeightsError, match=problem):
        load_strictly(module, state, "w.pt")
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_weights_that_fit_are_all_loaded():
    module = nn.Linear(3, 2)
    load_strictly(module, STATE, "w.pt")
    assert_same(module.state_dict())
