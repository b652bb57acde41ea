"""The tables of the languages hold all that the pack says, and nothing that it says no more."""

import json
import re

import pytest
from noise_search.demo import languages, locales

VALUES = re.compile(r"\{\w+\}")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`')
SENTENCE = re.compile(r"[A-Z][a-z]+[,.:?…]?(?: .*)?|.*[a-z]+ [a-z]+ [a-z]+.*", re.DOTALL)
KEYS = {"Home", "End", "Escape", "Delete", "Backspace", "Enter"}
HOSTS = {"Edit", "Reroute", "Primitive"}  # a menu and nodes of ComfyUI
TABLES = languages.tables()


def english_of_the_nodes() -> list[str]:
    files = (locales.FOLDER / "en").glob("*.json")
    return [text for file in files for text in languages.texts_in(json.loads(file.read_text(encoding="utf-8")))]


def test_every_text_has_a_translation_and_every_translation_a_text():
    assert list(languages.reports(english_of_the_nodes())) == []


def test_a_changed_text_is_reported_as_missing_and_its_old_translation_as_vain(monkeypatch):
    monkeypatch.setattr(languages, "said", lambda: {"New"})
    monkeypatch.setattr(languages, "tables", lambda: {"zh": {"Old": "旧", "seed": "种子"}})
    assert list(languages.reports(["seed"])) == [
        'js/languages/zh.json lacks "New"',
        'js/languages/zh.json has "Old", which is said no more',
    ]


@pytest.mark.parametrize("name", TABLES)
def test_a_translation_has_the_places_for_values_that_the_text_has(name):
    for text, translation in TABLES[name].items():
        forms = list(translation.values()) if isinstance(translation, dict) else [translation]
        for form in forms:
            assert set(VALUES.findall(form)) == set(VALUES.findall(text)), text
        assert len(forms) == 1 or "other" in translation, text


def test_the_page_asks_for_the_tables_that_there_are():
    source = (languages.JS / "language.js").read_text(encoding="utf-8")
    (named,) = re.findall(r"LANGUAGES = new Set\((\[.*\])\)", source)
    assert json.loads(named) == list(TABLES) == sorted(p.name for p in locales.FOLDER.iterdir() if p.name != "en")


def test_what_is_said_is_written_where_it_is_said_so_that_it_can_be_found():
    for path in languages.sources():
        source = path.read_text(encoding="utf-8")
        assert len(re.findall(r"\bsay(?:Count)?\(", source)) == len(languages.SAID.findall(source)), path.name


def test_no_sentence_of_the_page_is_left_in_english():
    """A text of the page's modules that reads as a sentence, or begins as one, is said."""
    for path in languages.sources():
        code = languages.SAID.sub("", path.read_text(encoding="utf-8"))
        code = re.sub(r"(?m)(^|\s)//.*$|^import .*$", "", code)
        left = {text[1:-1] for text in TEXT.findall(code) if SENTENCE.fullmatch(text[1:-1])}
        assert left <= KEYS | HOSTS, path.name


def test_what_is_no_longer_in_english_is_left_out_for_the_nodes_own_text():
    tree = {"A": {"name": "one", "inputs": {"a": {"name": "two"}}}}
    assert languages.translated(tree, {"one": "一"}) == {"A": {"name": "一"}}
