"""Every search against best of N at equal cost: the rows of the benchmarks' tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from verifiers import clip_score
from verifiers.combine import z_score
from verifiers.technical import QUANTITIES

from .algorithms import Algorithm
from .cases import Case, Store
from .curves import Choose, best_of_curve, equivalent_interval, mean_interval, sampled_curves, standard
from .pool import Pool
from .searches import Unit
from .workflow import BESIDE

FAR = 16  # times the pool, beyond which no guess is made


@dataclass(frozen=True)
class Baseline:
    """Best of N of several prompts, for every N, chosen by the searched verifier.

    Args:
        cases: As many as the rows of all that follows.
        pools: One per case.
        searched, checked, passed, held_out: Curves `(cases, n)`: the searched verifier in standard deviations of its
        prompt's pool,
            the exact judge's share and verdict, a held-out verifier in standard deviations. What there is not, is not a
            number.
        raw: Curve of the searched verifier's first value as it is.
    """

    cases: tuple[Case, ...]
    pools: tuple[Pool, ...]
    searched: np.ndarray
    checked: np.ndarray
    passed: np.ndarray
    held_out: np.ndarray
    raw: np.ndarray
    has_held_out: bool = False

    def of(self, places: Sequence[int]) -> Baseline:
        """The same of some cases only."""
        curves = {
            name: getattr(self, name)[list(places)] for name in ("searched", "checked", "passed", "held_out", "raw")
        }
        return replace(
            self,
            cases=tuple(self.cases[place] for place in places),
            pools=tuple(self.pools[place] for place in places),
            **curves,
        )

    @property
    def most(self) -> int:
        """Pictures of the smallest pool."""
        return self.searched.shape[1]

    def score(self, place: int, values: Sequence[float]) -> tuple[float, float]:
        """Searched and held-out score of one picture's raw values, in standard deviations of the pool."""
        searched, held_out = split(np.asarray(self.pools[place].values), self.has_held_out)
        mine, theirs = split(
            np.asarray(values, dtype=float)[None, : self.pools[place].values.shape[1]], self.has_held_out
        )
        return float(harmonized(mine, searched)[0]), float(harmonized(theirs, held_out)[0])


def split(values: np.ndarray, has_held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    """The searched verifier's columns and the held-out one's, which is the last."""
    return (values[:, :-1], values[:, -1:]) if has_held_out else (values, np.full((len(values), 1), np.nan))


def harmonized(values: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Mean over columns of the standard scores against the pool, `(n,)`."""
    return np.mean([standard(values[:, column], pool[:, column]) for column in range(pool.shape[1])], axis=0)


def baseline(
    pools: Sequence[Pool], cases: Sequence[Case], has_held_out: bool = False, choose: Choose | None = None
) -> Baseline:
    """Best of N of the pools; `choose` scores raw values where that depends on the pictures that are compared, as an
    ensemble does.
    """
    curves: dict[str, list[np.ndarray]] = {name: [] for name in ("searched", "checked", "passed", "held_out", "raw")}
    for pool in pools:
        mine, theirs = split(pool.values, has_held_out)
        score = harmonized(mine, mine)
        worths = {
            "searched": score,
            "checked": pool.checked,
            "passed": pool.passed,
            "held_out": harmonized(theirs, theirs),
            "raw": mine[:, 0],
        }
        found = (
            sampled_curves(choose, mine, list(worths.values()))
            if choose
            else [best_of_curve(score, one) for one in worths.values()]
        )
        for name, curve in zip(worths, found):
            curves[name].append(curve)
    most = min(map(len, pools))
    stacked = {name: np.stack([curve[:most] for curve in rows]) for name, rows in curves.items()}
    return Baseline(tuple(cases), tuple(pools), **stacked, has_held_out=has_held_out)


def row(base: Baseline, unit: Unit, records: Sequence[dict]) -> dict:
    """One search at one budget against the best of as many pictures.

    Args:
        records: One per case of `base`.
    """
    at = min(unit.pictures, base.most) - 1
    pairs = [base.score(place, record["values"]) for place, record in enumerate(records)]
    searched, held_out = np.array(pairs).T
    mine = {
        "searched": searched,
        "checked": judged(records, "checked"),
        "passed": judged(records, "passed"),
        "held_out": held_out,
    }
    figures: dict = {"algorithm": unit.algorithm.name, "pictures": unit.pictures, "captions": len(records)}
    for name, values in mine.items():
        if np.isfinite(values).all():
            theirs = getattr(base, name)[:, at]
            figures[name] = {
                "search": mean_interval(values),
                "best_of_n": float(theirs.mean()),
                "gain": mean_interval(values - theirs),
            }
    figures["equivalent_n"] = equivalent_interval(base.searched, searched)
    if base.pools[0].values.shape[1] - base.has_held_out == 1:
        figures["verifier"] = float(np.mean([record["values"][0] for record in records]))
        figures["equivalent_n_raw"] = equivalent_interval(base.raw, [record["values"][0] for record in records])
    return figures | costs(base, unit, records)


def judged(records: Sequence[dict], name: str) -> np.ndarray:
    return np.array([math.nan if record[name] is None else record[name] for record in records], dtype=float)


def costs(base: Baseline, unit: Unit, records: Sequence[dict]) -> dict:
    """Means over prompts: denoiser calls, and seconds of sampling, decoding, judging, of the search and of as many
    random pictures.
    """
    pictures = unit.pictures
    return {
        "cost": float(np.mean([record["cost"] for record in records])),
        "nfe": {"search": float(np.mean([record["nfe"] for record in records])),
                "best_of_n": float(np.mean([pool.nfe for pool in base.pools])) * pictures},
        "decodes": float(np.mean([record["decodes"] for record in records])),
        "seconds": {"search": np.mean([record["seconds"] for record in records], axis=0).tolist(),
                    "best_of_n": (np.mean([pool.seconds for pool in base.pools], axis=0) * pictures).tolist()},
    }  # fmt: skip


def rows(base: Baseline, store: Store, algorithms: Sequence[Algorithm]) -> list[dict]:
    """A row per search and budget, over the cases that were measured; each against the best of N by the verifier that
    it searched with, which "by" names where it is not the one that all others were searched with."""
    kept = [store.read(case) for case in base.cases]
    views, found = {"": base}, []
    for name in dict.fromkeys(name for records in kept for name in records):
        unit = unit_of(name)
        if unit is None or not any(belongs(unit.algorithm.name, one) for one in algorithms):
            continue
        view = unit.algorithm.name.rpartition(", ")[2]
        view = view if view in (*BESIDE, "ensemble") else ""
        if view not in views:
            pools = [seen_by(pool, view) for pool in base.pools]
            views[view] = baseline(pools, base.cases, choose=together if view == "ensemble" else None)
        places = [place for place, records in enumerate(kept) if name in records]
        found.append(row(views[view].of(places), unit, [kept[place][name] for place in places]) | {"by": view})
    return sorted(found, key=lambda figures: (figures["algorithm"], figures["pictures"]))


def belongs(name: str, algorithm: Algorithm) -> bool:
    """Whether a record's algorithm is this one, or one of its options."""
    return name == algorithm.name or bool(algorithm.each) and name.startswith(f"{algorithm.name}, ")


def seen_by(pool: Pool, view: str) -> Pool:
    """A pool with the values of another verifier of the bundled workflow: one that needs no model, or the ensemble of
    all.
    """
    pixels = torch.from_numpy(pool.pictures)
    beside = {
        name: QUANTITIES[name].value(pixels).double().numpy()[:, None]
        for name in (BESIDE if view == "ensemble" else (view,))
    }
    columns = [pool.values, *beside.values()] if view == "ensemble" else list(beside.values())
    return replace(
        pool, values=np.concatenate(columns, axis=1), columns=(*(pool.columns if view == "ensemble" else ()), *beside)
    )


def together(values: np.ndarray) -> np.ndarray:
    """Scores of pictures by the ensemble of the bundled workflow, as its node gives them for just these."""
    spreads = [clip_score.SPREAD, *(QUANTITIES[name].spread for name in BESIDE)]
    return z_score(torch.from_numpy(values), torch.ones(len(spreads)), torch.tensor(spreads)).numpy()


def unit_of(name: str) -> Unit | None:
    """The unit of a record's name; none for those that kept several pictures."""
    algorithm, _, rest = name.rpartition(" @ ")
    return Unit(Algorithm(algorithm, "", (int(rest),)), int(rest)) if rest.isdigit() else None


def table(figures: Sequence[dict], most: int) -> str:
    """The rows as text; an equivalent N beyond the `most` pictures of the pool is a careful guess."""
    head = (
        f"{'search':22}{'pictures':>9}{'cost':>7}{'NFE':>7}{'seconds':>9}{'(best of N)':>12} "
        f" {'verifier, sd over best of N':30}{'equivalent N':24}{'judge':>7}{'over best of N':>26}"
    )
    head += f"{'held out, sd over best of N':>30}" if any("held_out" in row for row in figures) else ""
    return "\n".join([head, *(_line(row, most) for row in figures)])


def _line(figures: dict, most: int) -> str:
    seconds = {name: sum(parts) for name, parts in figures["seconds"].items()}
    value, low, high = (count(number, most) for number in figures["equivalent_n"])
    text = f"{figures['algorithm']:22}{figures['pictures']:9}{figures['cost']:7.1f}{figures['nfe']['search']:7.0f}"
    text += f"{seconds['search']:9.1f}"
    text += f"{seconds['best_of_n']:12.1f}  {interval(figures['searched']['gain']):30}{f'{value} ({low} to {high})':24}"
    if "checked" in figures:
        text += f"{figures['checked']['search'][0]:7.3f}{interval(figures['checked']['gain'], 3):>26}"
    elif "held_out" in figures:
        text += " " * 33
    return text + (f"{interval(figures['held_out']['gain']):>30}" if "held_out" in figures else "")


def interval(three: Sequence[float], digits: int = 2) -> str:
    mean, low, high = three
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def count(number: float, most: int) -> str:
    """An equivalent N as text, "~" where it lies beyond the `most` pictures of the pool."""
    return f"> {FAR * most}" if number > FAR * most else f"~{number:.0f}" if number > most else f"{number:.1f}"
