"""Workflow templates of the host, executed with tiny stand-ins: our own seed gives what the template's own sampler
gives, to the bit, and what is judged and shown is what the template shows.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from noise_search.tests.examples import stand_ins
from noise_search.tests.examples.stand_ins import Left
from noise_search.tests.examples.templates import ALL, EXECUTED, exported, sample, sites, versions
from noise_search.tests.examples.twins import twins
from noise_search.tests.families.matrix import far, streams

PAGE = Path(__file__).parents[2] / "docs" / "templates.md"
SWITCH = "NOISE_SEARCH_WRITE_DOCS"
HEAD = """# Workflow templates, executed

ComfyUI's own templates that sample pictures or videos, run with tiny stand-ins: the samplers of the template and all nodes between them and the
loaders are real; models are tiny ones of the same kind with random weights, and texts, pictures and VAEs are stand-ins too. The template's own
sampler and ours in its place get the same seed, ours with `pictures` 1. *latent*: what both hand on; *equal* is to the bit. *picture*: our IMAGE
beside what the template decodes of our latent; "-" where another sampler goes on from it, or other frames are put into it before.

`NOISE_SEARCH_WRITE_DOCS=1 python -m pytest tests/examples/test_templates_executed.py` writes this page; a test runs a part of it.
"""  # noqa: E501


class Row(NamedTuple):
    """A line of the page: samplers of a template that have the same outcome."""

    template: str
    sampler: str
    ours: str
    family: str
    latent: str
    picture: str

    def line(self, count):
        sampler = f"{count} x {self.sampler}" if count > 1 else self.sampler
        return f"| {self.template} | {sampler} | {self.ours} | {self.family} | {self.latent} | {self.picture} |"


@pytest.fixture(scope="module")
def prompts(browser, tmp_path_factory):
    return exported(browser, tmp_path_factory.mktemp("templates"), None if ALL or os.environ.get(SWITCH) else sample())


@pytest.fixture(scope="module", autouse=True)
def no_models_afterwards():
    yield
    for made in (stand_ins.made_model, stand_ins.codec, stand_ins.upsampler):
        made.cache_clear()


def rows(host, template, prompt):
    """What comes of every sampler of a template."""
    for site in sites({template: prompt}):
        kind = prompt[site.node]["class_type"]
        try:
            for one in twins(site, host):
                yield Row(template, one.kind, one.ours, one.family, *compared(host, one))
        except Left as why:
            yield Row(template, kind, "-", "-", f"not tried: {why}", "-")


def compared(host, one):
    """Our latent beside the template's, and our picture beside the one that the template decodes of it."""
    host.toys.VALUES.clear()
    host.toys.VALUES.update(one.values)
    wanted = {"stock": one.stock, "ours": ("ours", 0), "image": ("ours", 1)}
    wanted |= {"shown": (one.shown, 0)} if one.shown else {}
    keep = {
        f"keep {name}": {"class_type": "ToyKeep", "inputs": {"value": [*link], "name": name}}
        for name, link in wanted.items()
    }
    result = host.run({**one.nodes, **keep})
    assert result.ok, f"{one.template}: {result.error}"
    ours, stock = result.kept["ours"][0]["samples"], result.kept["stock"][0]["samples"]
    assert all(part.isfinite().all() and part.std() > 0 for part in streams(stock)[:1])
    same = all(torch.equal(*pair) for pair in zip(streams(ours), streams(stock), strict=True))
    latent = "equal" if same else f"other by {far(ours, stock):.2g}"
    if not one.shown:
        return latent, "-"
    image, shown = result.kept["image"][0], result.kept["shown"][0]
    alike = image.shape == shown.shape and torch.allclose(image, shown, atol=1e-5)
    return latent, "equal" if alike else "other"


def lines(found):
    """Of the page, in its order."""
    counted = {}
    for row in found:
        counted[row] = counted.get(row, 0) + 1
    return [row.line(count) for row, count in counted.items()]


def written():
    """The page's lines by template."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| template |"):
            found.setdefault(line.split(" | ")[0].removeprefix("| "), []).append(line)
    return found


@pytest.fixture(scope="module")
def outcomes():
    """What the tests below found, by template."""
    return {}


@pytest.mark.parametrize("template", EXECUTED)
def test_the_own_seed_of_a_template_gives_its_own_picture(whole_host, prompts, outcomes, store_off, template):
    if template not in prompts:
        return  # of another version; the last test counts
    outcomes[template] = found = list(rows(whole_host, template, prompts[template]))
    assert {row.latent for row in found} == {"equal"}, found
    assert {row.picture for row in found} <= {"equal", "-"}, found


def test_the_page_of_the_documentation_says_what_was_found(whole_host, prompts, outcomes, store_off):
    if os.environ.get(SWITCH):
        found = {name: list(rows(whole_host, name, prompt)) for name, prompt in prompts.items()}
        write({name: part for name, part in found.items() if part})
    if versions_of_page() == spoken_versions():
        said = written()
        assert outcomes, "nothing was executed"
        for template, found in outcomes.items():
            assert lines(found) == said[template]


def test_the_readme_says_how_many_they_are():
    counts = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if " templates were executed" in line)
    templates, equal = re.match(r"(\d+) of .* executed, (\d+) comparisons", counts).groups()
    readme = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"[{templates} of ComfyUI's own templates](docs/templates.md)" in readme and f": {equal} times the" in readme


def test_more_than_thirty_templates_were_executed(outcomes, prompts):
    assert len(outcomes) >= 30
    assert len({row.family for found in outcomes.values() for row in found}) >= 20
    assert {"KSampler", "SamplerCustom", "SamplerCustomAdvanced", "two KSamplerAdvanced"} <= {
        row.sampler for found in outcomes.values() for row in found
    }


def spoken_versions():
    return "With " + ", ".join(f"{name} {number}" for name, number in versions().items()) + ":"


def versions_of_page():
    return next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("With "))


def write(found):
    """The page, of all templates."""
    every = [row for part in found.values() for row in part]
    tried = {row.template for row in every if row.family != "-"}
    equal = sum(row.latent == "equal" for row in every)
    counts = (
        f"{len(tried)} of {len(found)} templates were executed, {equal} comparisons of latents equal to the bit,"
        f" {sum(row.latent.startswith('other') for row in every)} other;"
        f" {sum(row.picture == 'equal' for row in every)} pictures equal,"
        f" {sum(row.picture.startswith('other') for row in every)} other."
    )
    columns = Row("template", "its sampler", "ours", "stand-in", "latent", "picture").line(1)
    table = [columns, "|---" * 6 + "|", *(line for part in found.values() for line in lines(part))]
    PAGE.write_text("\n".join([HEAD, spoken_versions(), "", counts, "", *table]) + "\n", encoding="utf-8")
