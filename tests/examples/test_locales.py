"""The English texts lie where the host looks for them, and say what the nodes say."""

import json

from noise_search.demo.locales import FOLDER, SYNTAX, locale_of, plain, written

WORST = {
    "display_name": "A {b}",
    "inputs": {"a": {"tooltip": "one | two"}, "c": {"name": "c", "tooltip": ""}},
    "outputs": {},
}


def test_the_locale_files_are_what_the_script_writes(server):
    for name, texts in locale_of(server.client()).items():
        assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == written(texts), "run: python dev.py locales"


def test_the_server_gives_the_texts_of_every_node_to_the_page(server):
    client = server.client()
    english = client.json("/i18n")["en"]
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


def test_no_text_holds_what_the_page_would_read_as_a_formula():
    assert not SYNTAX & set("".join(texts_in(json.loads((FOLDER / "nodeDefs.json").read_text(encoding="utf-8")))))


def test_a_text_with_the_pages_formula_signs_or_none_at_all_is_left_to_the_node():
    assert plain(WORST) == {"inputs": {"c": {"name": "c"}}}


def texts_in(tree: dict) -> list[str]:
    return [text for value in tree.values() for text in (texts_in(value) if isinstance(value, dict) else [value])]
