"""The paper's questions in miniature (Ma et al., arXiv:2501.09732), from pools and records.

Each answer holds figures, one sentence that follows from them, and what its plot shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.stats import spearmanr

from verifiers.technical import QUANTITIES

from .cases import Case, Store
from .comparison import Baseline, seen_by, together
from .curves import best_of_curve, mean_interval, sampled_curves
from .plots import JUDGE
from .pool import Pool, load_pool
from .searches import Unit, apart
from .workflow import BESIDE

EQUAL_COST = (4, 8, 16)  # pictures of the full number of steps


def hacking(base: Baseline) -> dict:
    """Whether the exact judge still rises where what chooses does, up to as many pictures as there are."""
    figures, lines, parts = {}, {}, []
    for name, curves in chosen_by(base).items():
        judge = curves.mean(0)
        peak = int(judge.argmax()) + 1
        change = mean_interval(curves[:, -1] - curves[:, peak - 1])
        figures[name] = {"peak": peak, "change_after": change}
        lines[f"chosen by {name}"] = (counts(judge), judge.tolist())
        word = "falls" if change[2] < 0 else "falls, within the noise," if change[0] < 0 else "does not fall"
        parts.append(
            f"chosen by {name}, the judge is highest at N = {peak} ({judge[peak - 1]:.3f}), then {word}"
            f" ({judge[-1]:.3f} at {len(judge)})"
        )
    return {"judge": figures, "sentence": sentence(parts), "plot": {"lines": lines, "across": "N", "up": JUDGE}}


def ensembles(base: Baseline) -> dict:
    """Best of N by the judge, chosen by one verifier or by several."""
    curves = chosen_by(base)
    at = [n for n in (4, 16, 64, 256) if n <= base.most] or [base.most]
    figures = {name: {n: mean_interval(rows[:, n - 1]) for n in at} for name, rows in curves.items()}
    n = min(at, key=lambda count: abs(count - 16))
    gain = mean_interval(curves["ensemble"][:, n - 1] - curves["searched"][:, n - 1])
    said = f"Of {n} pictures, the ensemble's choice is judged {spoken(gain)} against the searched verifier's alone."
    groups = {f"best of {n}": {name: means[n][0] for name, means in figures.items()} for n in at}
    return {"judge": figures, "sentence": said, "plot": {"bars": groups, "up": JUDGE}}


def agreement(base: Baseline) -> dict:
    """Rank correlation within a prompt between the exact judge and everything that could be a verifier here."""
    found: dict[str, list[float]] = {}
    for pool in base.pools:
        pixels = torch.from_numpy(pool.pictures)
        scores = {
            "searched": pool.values[:, 0],
            **{name: quantity.value(pixels).numpy() for name, quantity in QUANTITIES.items()},
        }
        for name, values in scores.items():
            if np.ptp(values) > 0 and np.ptp(pool.checked) > 0:
                found.setdefault(name, []).append(float(spearmanr(values, pool.checked).statistic))
    figures = {name: mean_interval(values) for name, values in found.items()}
    others = ", ".join(f"{name} {means[0]:+.2f}" for name, means in figures.items() if name != "searched")
    said = (
        f"The searched verifier's rank correlation with the exact judge is {figures['searched'][0]:.2f}; of what needs"
        f" no model: {others}. There is no second learned verifier on this model: the exact judge is what no search"
        " sees."
    )
    bars = {"within a prompt": {name: means[0] for name, means in figures.items()}}
    return {
        "spearman": figures,
        "sentence": said,
        "plot": {"bars": bars, "up": "rank correlation with the exact judge"},
    }


def verifier_table(base: Baseline, rows: Sequence[dict], pictures: int) -> dict:
    """The exact judge's mean by verifier and algorithm at one budget."""
    cells = {
        name: {"best of N": float(curve[:, min(pictures, base.most) - 1].mean())}
        for name, curve in chosen_by(base).items()
    }
    for row in rows:
        algorithm, _, verifier = row["algorithm"].partition(", ")
        if row["pictures"] == pictures and "checked" in row and (verifier or "searched") in cells:
            cells[verifier or "searched"][algorithm] = row["checked"]["search"][0]
    judge, algorithm, verifier = max(
        (judge, algorithm, verifier) for verifier, line in cells.items() for algorithm, judge in line.items()
    )
    said = f"With {pictures} pictures the judge likes {algorithm} with the {verifier} verifier best ({judge:.3f})."
    return {"pictures": pictures, "judge": cells, "sentence": said, "plot": {"bars": cells, "up": JUDGE}}


def candidates_or_steps(pools: Mapping[int, tuple[Store, Sequence[Case]]], steps: int) -> dict:
    """Best of N by the judge at equal denoiser calls, for several numbers of steps per picture."""
    lines, parts = {}, []
    for number, (store, cases) in sorted(pools.items()):
        loaded = [load_pool(store, case) for case in cases]
        judge = np.mean([best_of_curve(pool.values[:, 0], pool.checked) for pool in loaded], axis=0)
        lines[f"{number} steps"] = ([n * number / steps for n in counts(judge)], judge.tolist())
    for cost in EQUAL_COST:
        judge, name = max((judge, name) for name, line in lines.items() if (judge := at_cost(line, cost)) is not None)
        parts.append(f"{name} for {cost} pictures' worth ({judge:.3f})")
    said = sentence([f"best by the judge at equal denoiser calls: {', '.join(parts)}"])
    return {"sentence": said, "plot": {"lines": lines, "across": f"cost, in pictures of {steps} steps", "up": JUDGE}}


def small_against_base(small: Store, base: Baseline) -> dict:
    """How many pictures of the smaller model, searched, are worth one of the larger, and what they cost."""
    pools = [load_pool(small, case) for case in base.cases]
    judge = np.mean([best_of_curve(pool.values[:, 0], pool.checked) for pool in pools], axis=0)
    larger = base.checked.mean(0)
    ratio = sum(pool.seconds[0] for pool in pools) / sum(pool.seconds[0] for pool in base.pools)
    worth = next((n for n, share in enumerate(judge, 1) if share >= larger[0]), None)
    if worth:
        time = f"{worth * ratio:.1f} pictures' worth of the larger one's sampling time"
        said = (
            f"By the judge, the best of {worth} pictures of the small model ({time}) equals one picture of the larger."
        )
    else:
        found = f"({judge[-1]:.3f} against {larger[0]:.3f})"
        said = (
            f"By the judge, the best of {len(judge)} pictures of the small model stays below one picture of the larger"
            f" {found}."
        )
    lines = {"small": ([n * ratio for n in counts(judge)], judge.tolist()), "base": (counts(larger), larger.tolist())}
    plot = {"lines": lines, "across": "sampling time, in pictures of the larger model", "up": JUDGE}
    return {"worth_one": worth, "sampling_cost_ratio": ratio, "sentence": said, "plot": plot}


def diversity(base: Baseline, store: Store, units: Sequence[Unit]) -> dict:
    """How far apart the winners are that a search keeps, against as many of the best of random ones, and of any
    seeds.
    """
    figures = {}
    kept = [store.read(case) for case in base.cases]
    for unit in units:
        places = [place for place, records in enumerate(kept) if unit.name in records]
        if places:
            mine = [kept[place][unit.name]["apart"] for place in places]
            best = [apart(best_pictures(base.pools[place], unit.pictures, unit.keep)) for place in places]
            any_of = [apart(base.pools[place].pictures[some_of(base.pools[place], unit.keep)]) for place in places]
            spans = {"apart": mine, "best of N": best, "any seeds": any_of, "difference": np.subtract(mine, best)}
            figures[unit.algorithm.name] = {name: mean_interval(values) for name, values in spans.items()}
    shares = {name: 100 * one["apart"][0] / one["best of N"][0] for name, one in figures.items()}
    said = sentence(
        [
            f"the winners of {name} are {share:.0f} % as far apart as those of best of N"
            for name, share in shares.items()
        ]
    )
    bars = {name: {what: one[what][0] for what in ("apart", "best of N", "any seeds")} for name, one in figures.items()}
    return {
        "rms_distance": figures,
        "sentence": said,
        "plot": {"bars": bars, "up": "distance between winners, RMS of 0 to 255"},
    }


def never_worse(rows: Sequence[dict], steps: int) -> dict:
    """What a search gains over best of N where there are few steps to be cut, at every budget."""
    gains = {row["pictures"]: row["searched"]["gain"] for row in rows}
    parts = [f"{spoken(gain)} sd with {pictures} pictures" for pictures, gain in gains.items()]
    said = sentence([f"with {steps} steps, automatic search over best of N at equal cost: {', '.join(parts)}"])
    return {
        "gain": gains,
        "sentence": said,
        "plot": {
            "bars": {f"{n} pictures": {"auto": gain[0]} for n, gain in gains.items()},
            "up": f"gain over best of N, sd of the pool, {steps} steps",
        },
    }


def self_supervised(store: Store, cases: Sequence[Case]) -> dict:
    """What choosing by the self-supervised verifier gains by the exact judge, and how well the two agree within a
    prompt.
    """
    pools = [load_pool(store, case) for case in cases]
    curves = np.stack([best_of_curve(pool.values[:, 0], pool.checked) for pool in pools])
    agree = mean_interval(
        [float(spearmanr(pool.values[:, 0], pool.checked).statistic) for pool in pools if np.ptp(pool.checked) > 0]
    )
    gain = mean_interval(curves[:, -1] - curves[:, 0])
    said = (
        f"Of {curves.shape[1]} pictures, the self-supervised verifier's choice is judged {spoken(gain)} against any"
        f" picture; its rank correlation with the judge is {spoken(agree)}."
    )
    judge = curves.mean(0)
    lines = {
        "chosen by the self-supervised": (counts(judge), judge.tolist()),
        "any picture": (counts(judge), [judge[0]] * len(judge)),
    }
    return {"spearman": agree, "gain": gain, "sentence": said, "plot": {"lines": lines, "across": "N", "up": JUDGE}}


def chosen_by(base: Baseline) -> dict[str, np.ndarray]:
    """Curves `(cases, n)` of the exact judge's opinion of the best of N, by what chooses: one verifier, or several as
    the ensemble's node joins them.
    """
    found: dict[str, list] = {}
    for pool in base.pools:
        alone = {"searched": pool.values[:, 0], **{name: seen_by(pool, name).values[:, 0] for name in BESIDE}}
        for name, scores in alone.items():
            found.setdefault(name, []).append(best_of_curve(scores, pool.checked)[: base.most])
        (curve,) = sampled_curves(together, seen_by(pool, "ensemble").values, [pool.checked])
        found.setdefault("ensemble", []).append(curve[: base.most])
    return {name: np.stack(rows) for name, rows in found.items()}


def best_pictures(pool: Pool, pictures: int, keep: int) -> np.ndarray:
    """The winners of as many random ones of a pool's candidates."""
    some = some_of(pool, pictures)
    return pool.pictures[some[np.argsort(-pool.values[some, 0], kind="stable")[:keep]]]


def some_of(pool: Pool, count: int) -> np.ndarray:
    """Random places in a pool; it lies there best first within each search that made it."""
    return np.random.default_rng(0).permutation(len(pool))[:count]


def at_cost(line: tuple[Sequence[float], Sequence[float]], cost: float) -> float | None:
    """Value of a curve at a cost; None where it does not reach that far."""
    paid, values = line
    return float(np.interp(cost, paid, values)) if paid[0] <= cost <= paid[-1] else None


def counts(curve: Sequence[float]) -> list[int]:
    return list(range(1, len(curve) + 1))


def spoken(three: Sequence[float]) -> str:
    mean, low, high = three
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts) or "nothing was measured yet"
    return f"{text[0].upper()}{text[1:]}."
