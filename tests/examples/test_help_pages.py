"""Every node has a help page with a picture of a real run, where the frontend looks for it."""

import io
import re
from pathlib import Path

import pytest
from noise_search.demo.examples import EXAMPLES
from noise_search.demo.pictures.scenes import help_scenes
from noise_search.demo.pictures.states import STATES
from noise_search.demo.pictures.thumbnails import THUMBNAILS
from noise_search.demo.server import PACK
from PIL import Image

DOCS = PACK / "js" / "docs"
PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<path>[^)\s]+)\)")
MOST, ALL = 40_000, 1_200_000  # bytes of one picture and of all of them: the pack is downloaded whole


def pictures(page: Path) -> list[re.Match]:
    return list(PICTURE.finditer(page.read_text(encoding="utf-8")))


def test_every_node_has_a_help_page_and_every_help_page_a_node(server):
    ours = {
        name
        for name, schema in server.client().json("/object_info").items()
        if schema["python_module"] == "custom_nodes.noise-search"
    }
    assert {page.stem for page in DOCS.glob("*.md")} == ours


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_a_help_page_shows_a_picture_and_says_what_is_on_it(page, server):
    found = pictures(page)
    assert found
    for picture in found:
        assert len(picture["text"]) >= 20, "a description for those who cannot see it"
        # as the frontend resolves it
        served = server.client().request(f"/extensions/noise-search/docs/{picture['path']}")
        assert served == (DOCS / picture["path"]).read_bytes()
        assert Image.open(io.BytesIO(served)).width <= 1000
        assert len(served) <= MOST


def test_the_pictures_stay_small_and_none_lies_there_unused():
    files = {path.relative_to(DOCS).as_posix() for path in (DOCS / "images").iterdir()}
    assert files == {picture["path"] for page in DOCS.glob("*.md") for picture in pictures(page)}
    assert sum((DOCS / path).stat().st_size for path in files) <= ALL


def test_every_picture_can_be_taken_anew_by_the_script():
    assert {*help_scenes(""), "HumanPick"} == {page.stem for page in DOCS.glob("*.md")}
    assert set(THUMBNAILS) == {path.stem for path in EXAMPLES.glob("*.json")}
    assert {path.stem for path in (PACK / "docs").glob("*.webp")} == set(STATES)


def test_the_readme_and_the_pages_of_the_documentation_name_pictures_that_exist():
    for page in [PACK / "README.md", *(PACK / "docs").glob("*.md")]:
        for picture in pictures(page):
            assert "://" in picture["path"] or (page.parent / picture["path"]).is_file(), (
                f"{page.name}: {picture['path']}"
            )
