"""The texts lie where the host looks for them: the English ones say what the nodes say, the others the same of each."""

import json

import pytest
from noise_search.demo.languages import tables, texts_in
from noise_search.demo.locales import FOLDER, SYNTAX, files_of, locale_of, plain, written

WORST = {
    "display_name": "A {b}",
    "inputs": {"a": {"tooltip": "one | two"}, "c": {"name": "c", "tooltip": ""}},
    "outputs": {},
}


def test_the_locale_files_are_what_the_script_writes(server):
    files = files_of(locale_of(server.client()))
    for name, texts in files.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == written(texts), "run: python dev.py locales"
    assert {str(path.relative_to(FOLDER).as_posix()) for path in FOLDER.glob("*/*")} == set(files)


@pytest.mark.parametrize("language", tables())
def test_every_language_has_the_texts_that_english_has(language):
    for english in (FOLDER / "en").iterdir():
        assert keys_in(read("en", english.name)) == keys_in(read(language, english.name)), english.name


def test_the_server_gives_the_texts_of_every_node_to_the_page(server):
    client = server.client()
    languages = client.json("/i18n")
    english = languages["en"]
    ours = [
        name
        for name, schema in client.json("/object_info").items()
        if schema["python_module"] == "custom_nodes.noise-search"
    ]
    assert len(ours) >= 26
    for name in ours:
        assert english["nodeDefs"][name]["display_name"]
        assert english["nodeDefs"][name]["description"]
    assert english["nodeCategories"]["noise search"]
    for name in tables():
        assert keys_in(languages[name]["nodeDefs"]) >= keys_in({node: english["nodeDefs"][node] for node in ours})


@pytest.mark.parametrize("language", ["en", *tables()])
def test_no_text_holds_what_the_page_would_read_as_a_formula(language):
    assert not SYNTAX & set("".join(texts_in(read(language, "nodeDefs.json"))))


def test_a_text_with_the_pages_formula_signs_or_none_at_all_is_left_to_the_node():
    assert plain(WORST) == {"inputs": {"c": {"name": "c"}}}


def read(language: str, name: str) -> dict:
    return json.loads((FOLDER / language / name).read_text(encoding="utf-8"))


def keys_in(tree: dict, above: str = "") -> set[str]:
    below = [keys_in(value, f"{above}{key}/") for key, value in tree.items() if isinstance(value, dict)]
    return {above + key for key in tree}.union(*below)
