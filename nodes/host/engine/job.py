"""One search: rounds of candidates, made, judged, ranked, shown and kept."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ....search import recipe as recipes
from ....search.abilities import alive, explained
from ....search.allowance import Record
from ....search.lineages import ACCEPTED_FROM
from ....search.noise import SeedStream, check_leaves
from ....search.path import Path, Proposal, stage
from ....search.run import HOW, Budget, Driver
from ....search.stages import Scores
from ....search.trace import Trace, Trial
from ..background import Background
from ..errors import SECOND_JUDGE, failing
from ..files.search_pictures import Pictures
from ..judges.host_verifier import order_note, same_family_note, still_note, warn
from ..judges.judging import held_out, ranked
from ..setup.noise import Leaves, domain_of
from ..store.memo import Memo
from .choosing import Chooser
from .control import Control
from .evaluation import Evaluation
from .evaluator import Evaluator, LocalEvaluator
from .report import accepted_note, summary
from .request import Request
from .timing import last_pace, note_pace, note_rates
from .watcher import Doing, RoundOver, Watcher
from .winners import Winners

log = logging.getLogger("noise_search")

FINISHED = "finished"  # what the memo notes of a search that the artist ended
CLOCK = "clock"  # and of one with a limit in minutes, so that it plans the same when it runs again


class Steps:
    """Called while candidates are made; no part of the job, which would hold itself."""

    def __init__(self, control: Control, watchers: Sequence[Watcher], *backgrounds: Background):
        self.control, self.watchers, self.backgrounds = control, watchers, backgrounds
        self.judged = 0  # pictures of the round in the making that are made, and being judged

    def __call__(self, count: int, step: int, total: int) -> None:
        """While `count` pictures are being sampled; the last step waits for the judge."""
        self.control.check()
        for watcher in self.watchers:
            watcher.making(self.judged + count * step / (total + 1))

    def doing(self, doing: Doing) -> None:
        """Before pictures are decoded, those that wait to be written are, and the batch before is gone."""
        if doing.what == "decoding":
            for background in self.backgrounds:
                background.settle()
        self.judged = doing.judged
        for watcher in self.watchers:
            watcher.doing(doing)


MakeEvaluator = Callable[[Request, Leaves, Steps, Memo], Evaluator]


class SearchJob:
    """Runs a Request for one node.

    Args:
        request: What to do.
        hidden: The node's hidden inputs (id, prompt, workflow).
        memo: What earlier runs paid for; open.
        control: What the artist wants of it while it runs.
        watchers: Who is told how it goes.
        evaluator: Makes what makes and judges candidates.
        background: Where pictures for the node are written.
        chooser: Asks the artist which pictures leave, when the search is over; None where its winners do.
    """

    def __init__(
        self,
        request: Request,
        hidden: Any,
        memo: Memo,
        control: Control,
        watchers: Sequence[Watcher] = (),
        evaluator: MakeEvaluator = LocalEvaluator,
        background: Background | None = None,
        chooser: Chooser | None = None,
    ):
        self.chooser = chooser
        self.request, self.hidden, self.memo, self.control, self.watchers = request, hidden, memo, control, watchers
        self.background, self.aside = background or Background(), Background()
        self.start = request.start()
        # of the seeds: what follows a search draws no noise that it drew
        self.domain = domain_of(request.noise, self.start.candidates) if request.noise is not None else ""
        steps = Steps(control, watchers, self.background, self.aside)
        self.evaluator = evaluator(request, self.start.leaves, steps, memo)
        self.winners = Winners(request, self.evaluator, memo, self.aside)
        self.recipe_of = request.recipe_writer()
        self.pictures = Pictures(hidden, self.recipe_of, self.background)
        self.notes = [*request.sampling.notes, *judged_by(request)]
        self.best: Proposal | None = None
        self.first_image: Tensor | None = None  # what the second judge compares the winners with
        self.began, self.said = control.clock(), ""
        self.replayed: tuple[Proposal, ...] = ()

    def search(self, make: Callable[[Proposal, SeedStream], Any]) -> Trace:
        """All rounds. Nothing is kept in memory but the winners, what the search goes on from, and numbers."""
        how = "own picture" if self.request.refines else "own seed" if self.request.noise is None else "start"
        first = [
            (candidate, HOW["mix"] if place and candidate.operation == "mix" else how)
            for place, candidate in enumerate(self.start.candidates)
        ]
        if self.request.refines:
            first = [(Path(None, (0.0,)), how)]
        seeds = SeedStream(self.request.seed, self.domain)
        return self.run(make(first[0][0], seeds), self.request.budget, first)

    def replay(self, text: str) -> Trace:
        """The noise of a recipe instead of a search; of several, as many as leave the node."""
        found = recipes.loads_all(text)[: self.request.keep]
        sampling = self.request.sampling
        for recipe in found:
            recipes.check_finished(recipe)
            recipes.check_shapes(recipe, sampling.shapes)
            # also where its picture is kept: NOISE goes out
            check_leaves(recipe.candidate, sampling.shapes, self.start.leaves)
            if isinstance(recipe.candidate, Path):
                recipes.check_schedule(recipe, sampling.schedule)
        self.replayed = tuple(dict.fromkeys(recipe.candidate for recipe in found))
        first = [(candidate, "recipe") for candidate in self.replayed]
        return self.run(Single(), Budget(pictures=len(first)), first)

    def run(self, search: Any, budget: Budget, first: Sequence[tuple[Proposal, str]]) -> Trace:
        for watcher in self.watchers:
            watcher.begin(budget, self.notes, self.replayed)
        self.began, trace = self.control.clock(), Trace(self.request.columns)
        # by the artist, when this very search ran before
        ended = 0 if self.replayed else self.memo.noted(FINISHED).get("trials")
        if isinstance(ended, int) and ended > 0:
            budget = replace(budget, trials=ended)
        request, noted = self.request, {} if self.replayed else self.memo.noted(CLOCK)
        setups = request.sampling, request.draft, request.verifier
        # where a second judge is new, one picture alone tells what its looks take
        known = budget.minutes and (request.accept is None or self.winners.second_look is not None)
        driver = Driver(
            search,
            self.combine,
            budget,
            group=self.evaluator.group,
            trace=trace,
            first=first,
            cost=self.evaluator.cost,
            clock=self.control.clock,
            before=last_pace(*setups) if known and not noted else Record.from_dict(noted),
        )
        if request.accept is not None and budget.minutes:
            driver.allowance.second, driver.allowance.seen = self.winners.second_look or 0.0, ACCEPTED_FROM
        with self.control.searching(trace), self.aside:
            while (wanted := driver.next()) is not None:
                made = [self.round(driver, wanted)]
                self.aside.do(made.clear)  # giving back the memory of a clip takes as long as a step
                if driver.allowance.timed and not self.replayed:
                    self.memo.note(CLOCK, driver.allowance.record().to_dict())
                if not trace.stopped:
                    self.control.check()
        if trace.stopped == "you":
            self.memo.note(FINISHED, {"trials": len(trace.trials)})
        note_pace(trace, request.sampling)
        note_rates(driver.allowance, *setups)
        self.said = explained(search)
        return trace

    def round(self, driver: Driver, wanted: list[Proposal]) -> Evaluation | None:
        """Makes and judges what the search wants to know, tells it, and shows what came of it."""
        ahead = driver.ahead() if wanted and self.evaluator.makes_ahead else ()
        evaluation = self.evaluator.evaluate(wanted, ahead) if wanted else None
        if evaluation:
            self.keep(evaluation, driver)
        over = driver.tell(evaluation.measured if evaluation else None)
        self.evaluator.keep(alive(driver.search))
        trace = over.trace
        images = {one.proposed.key: one.image for one in evaluation.found} if evaluation else {}
        self.winners.only_best(over)
        driver.allowance.lineages = self.winners.begun
        best = over.best
        new = self.winners.known_picture(best.candidate) if best.candidate != self.best else None
        self.best = best.candidate
        shown = RoundOver(trace, over.trials, images, new if trace.columns else None, over.rescored)
        for watcher in self.watchers:
            watcher.round(shown)
        if new is not None and self.request.save_found:
            self.pictures.keep_found(best.candidate, new)
        return evaluation

    def keep(self, evaluation: Evaluation, driver: Driver) -> None:
        pictures = [one for one in evaluation.found if not stage(one.proposed)]
        if self.request.held_out is not None and self.first_image is None and pictures:
            self.first_image = pictures[0].image.clone()
        self.winners.add(evaluation)
        if driver.allowance.seen and self.winners.second_look is None and pictures:
            decoding = evaluation.decoding / len(evaluation.found)
            driver.allowance.second = self.winners.looked_once(pictures[0].image, decoding)
        if self.request.verifier is None:  # the artist chooses: every picture stays visible in the node, under its seed
            for one in pictures:
                self.pictures.show(one.proposed, one.image, picture_label(one.proposed))

    def combine(self, pool: Tensor) -> Tensor:
        return ranked(self.request.verifier, pool) if self.request.verifier else torch.zeros(len(pool))

    def finish(self, trace: Trace) -> list[Trial]:
        """The winners, best first, or what the artist picked."""
        winners = self.winners.of(trace, self.replayed)
        if self.chooser is not None and not self.replayed:
            winners = self.asked(self.chooser, trace, winners)
        trace.result = tuple(trial.id for trial in winners)
        for watcher in self.watchers:
            watcher.done(trace, winners)
        return winners

    def asked(self, chooser: Chooser, trace: Trace, winners: list[Trial]) -> list[Trial]:
        """What the artist picked, or the winners where nobody did. The time that this takes is none of the search's."""
        began = self.control.clock()
        chosen = chooser(trace, winners)
        self.began += self.control.clock() - began
        self.notes += [chosen.note] * bool(chosen.note)
        trace.by_hand = bool(chosen.ids)
        return [trace.trials[number] for number in chosen.ids] or winners

    def show_winners(self, trace: Trace, winners: Sequence[Trial], images: Sequence[Tensor]) -> None:
        """In the node, where not every picture is shown there anyway."""
        for trial, image in zip(winners, images if self.request.verifier is not None else ()):
            self.pictures.show(trial.candidate, image, f"{trace.scores[trial.id]:.4g}, {trial.how}")

    def report(self, trace: Trace, winners: Sequence[Trial], images: Sequence[Tensor]) -> str:
        """What was found, for the node's text; the log has the first line. Waits for the pictures."""
        self.background.settle()
        notes = [*self.notes, *accepted_note(trace), *self.evaluator.notes()]
        if self.request.held_out is not None:
            own = self.first_image if winners[0].id != 0 else None
            with failing(self.request.held_out.card.name, [trial.candidate for trial in winners], SECOND_JUDGE):
                notes += held_out(self.request.held_out, images, own, self.request.held_out_text)[1]
        notes += [self.pictures.problem] * bool(self.pictures.problem)
        said = " ".join(filter(None, [summary(trace, self.control.clock() - self.began), self.said]))
        log.info("%s", said)
        return "\n".join([said, *notes, *self.memo.notes])


def judged_by(request: Request) -> list[str]:
    """What the scores mean, and what of the prompt is not read."""
    if request.verifier is None:
        return []
    card = request.verifier.card
    order = order_note(request.verifier, request.prompt, request.sampling.prompt)
    still = still_note(request.verifier)
    alike = same_family_note(request.verifier, request.accept)
    return [f"Scores: {card.name}, {card.range}.", *warn(request.verifier, request.text), *still, *order, *alike]


class Single:
    """A search that asks for nothing beyond the candidates it is started with."""

    def ask(self, limit: int) -> list[Proposal]:
        return []

    def tell(self, measured: Sequence[Proposal], scores: Scores) -> None:
        """There is nothing to learn from one candidate."""


def picture_label(proposed: Proposal) -> str:
    return f"seed {proposed.plain_seed}" if proposed.plain_seed is not None else proposed.operation
