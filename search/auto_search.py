"""Automatic search: many drafts, the most promising ones brought down in full from halfway up, and the best of these
refined.

A draft (`draft_search`) is as good a place to go on from as a picture: noise goes back into it up to the middle of the
schedule, and all steps below are taken in full (SDEdit, arXiv:2108.01073). That costs half of what its noise would cost
in full and keeps what was good about it, while the picture of the same noise in full is another one in part. What came
of the drafts decides about the second half of them: where none of their pictures beats the own seed's, fresh noises in
full take their place. The depth of refinement (`refine_search`) follows its success, and where that is rarer than the
success of one more noise would be, there is one more noise. It ends before its budget does where neither is expected to
gain what it costs (`stopping`).

By the clock, drafts and what is made of them come in more and smaller waves. Each is planned by what is left at that
moment, with every look at its measured price.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence

from .allowance import DRAFT, ROUNDING, WHOLE, Work
from .correlation import spearman
from .draft_search import correlation, draft_levels, foretold
from .noise import Candidate, fresh
from .path import Path, Proposal, Schedule, draft, renoise
from .refine_search import SPREAD, RefineSearch
from .stages import Scores, Stage, Story
from .stopping import FEWEST, Draws, expected_gain

# shares of the pictures for drafts, and for finishing the most promising ones; the rest refines
EXPLORED, FINISHED = 0.35, 0.3
UNDRAFTED = 0.5  # share of the pictures for noises in full, where there are no drafts
DEPTH = 0.45  # share of the steps that a draft is finished in, and of the first refinements
FEWEST_DRAFTS, TWO_WAVES = 2, 16  # from which on there is something to choose from, and something to learn on the way
FEWEST_PICTURES = 4  # from which on there is more than best of N, where there are no drafts
PROOF = 5  # pictures made of drafts, none of them better than the own seed's, from which on drafts come to nothing
CHILDREN = 3  # refinements per round
SUCCESS = (
    # share of refinements that win at the best depth: below the one for the score alone, as shallow ones only please
    # the verifier
    0.1
)
FORGET = 0.8  # of the successes of refinements, per round
# expected gain of one more picture's worth of steps, in standard deviations of pictures, below which no more is worth
# it
WORTH = 0.002
GAIN_OF_A_WIN = 0.25  # in the same unit; not read from the scores: those of a pool that grows change their scale


class AutoSearch(RefineSearch):
    """Spends full pictures' worth of denoising where they gain most.

    Args:
        start: Candidate that is sampled in full first, or a picture that is refined at once (a path).
        seeds: Yields a new seed per draw; the only source of randomness.
        schedule: Noise levels of the setup.
        pictures: Full pictures' worth of denoising; used up to the last step while that is worth it.
        drafts: Levels to draft with, from the schedule's highest to 0; None for a quarter of the schedule's steps, ()
            for no drafts.
        judging: Time to decode and judge a picture, in times that it takes to sample one in full, at least 0; with a
            limit by the clock it is measured. Nothing is asked that is sampled sooner than judged: where judging is
            slow there are fewer and longer drafts, or none, and deeper refinements.
        lineages: Pictures of different noises, at least 1, that a second judge will choose from when it is over. Where
            drafts would leave it too few of them, so many noises are sampled in full instead, before one is refined.
    """

    success = SUCCESS

    def __init__(
        self,
        start: Proposal,
        seeds: Iterator[int],
        *,
        schedule: Schedule,
        pictures: int,
        drafts: Sequence[float] | None = None,
        judging: float = 0.0,
        lineages: int = 1,
    ):
        _check(pictures, judging, lineages)
        super().__init__(start, seeds, schedule=schedule, pictures=pictures, children=CHILDREN)
        self._no_drafts = drafts is not None and not len(drafts) or not isinstance(start, Candidate)
        self._given = tuple(drafts or ())
        self._judging, self._lineages = judging, lineages
        self._price(judging)
        self.fulls, self._drafts = 1, tuple[Path, ...]()
        self.refined, self.accepted = 0, 0
        self._won, self._tried = 0.0, 0.0  # of late
        self._independent = Draws()  # scores of pictures that owe nothing to each other
        self._dry = 0.0  # pictures' worth of refinements since one won
        self.stopped = False  # because no more was worth it
        self.made: dict[Proposal, Path] = {}  # the draft of each picture that was made of one
        self.correlation = spearman((), ())  # of drafts with the pictures made of them

    def _priced(self) -> Story:
        """Choose them by the price that was measured. The first look also loads the models: where it would change the
        plan, one more picture tells the price without that. It is sampled alone, which is dear, and so not for less.
        """
        before = self._chosen
        self._price(max(self._judging, self._allowance.look()))
        changed = self._chosen != before and not self._allowance.paced
        if changed and isinstance(self.best, Candidate) and self._times(WHOLE):
            yield from self._fresh(1)
            self._price(max(self._judging, self._allowance.look()))
        self._least = min(max(self._least, self._worth), self._schedule.steps)

    def _price(self, judging: float) -> None:
        """Choose drafts and depths that are worth judging, at a price of one look in pictures."""
        schedule = self._schedule
        # steps that are worth judging what they make
        self._worth = max(math.ceil(judging * schedule.steps), 1)
        self.levels = () if self._no_drafts else draft_levels(schedule, self._worth, self._given)
        # steps that a draft is finished in
        self._finishing = min(max(round(DEPTH * schedule.steps), self._worth), schedule.steps)
        self.depth = min(max(DEPTH * schedule.steps, self._shallowest), float(schedule.steps))

    @property
    def _chosen(self) -> tuple[tuple[float, ...], int, float]:
        """What the price of a look decides about."""
        return self.levels, self._finishing, self.depth

    @property
    def _apart(self) -> bool:
        return len(self._came_in) > 1 or self._timed and not self._allowance.paced

    @property
    def drafts(self) -> int:
        """How many there were."""
        return len(self._drafts)

    def explain(self) -> str:
        """What it did, in a sentence."""
        parts = [f"{self.refined} refinements", f"{self.accepted} of them better"]
        if isinstance(self._start, Candidate):
            parts.insert(0, f"{self.fulls} in full" if self.fulls > 1 else "the own seed in full")
        if self.drafts:
            finished = f"{len(self.made)} of them finished ({foretold(self.correlation)})"
            parts[:0] = [f"{self.drafts} drafts of {len(self.levels) - 1} steps", finished]
        return ", ".join(parts) + ("; then no more was worth it." if self.stopped else ".")

    def _story(self) -> Story:
        if self._apart:
            scores = yield from self._arrived()
            self.best, self.fulls = self._start, len(self._came_in)
            self._note([noise for noise in self._came_in if noise != self.best], scores)
        if self._timed:
            yield from self._priced()
        if not isinstance(self.best, Candidate):
            yield Stage((self.best,))
        elif self._timed:
            yield from self._by_the_clock()
        elif waves := self._waves():
            yield from self._drafted(waves)
        else:
            yield from self._fresh(self._undrafted(self._pictures))
        while not self.stopped:
            if self._times(WHOLE) and self._fresh_pays():
                scores = yield from self._fresh(1)
            elif children := self._children():
                scores = yield Stage(tuple(children), (self.best,))
                self._move(children, scores)
            else:
                break
            self.stopped = not self._worth_more(scores[self.best])

    def _worth_more(self, best: float) -> bool:
        """Whether a picture's worth of fresh noise, or of refinements as rare to win as they were, is expected to gain
        enough.
        """
        if len(self._independent) < FEWEST:
            return True
        mean, spread, count = self._independent.mean, self._independent.spread, len(self._independent)
        noise = expected_gain(best, mean, spread * math.sqrt(1 + 1 / count), count - 1)
        # one more of so many is rarely the best, whatever their law
        noise = min(noise, GAIN_OF_A_WIN * spread / (count + 1))
        return max(noise, GAIN_OF_A_WIN * spread / (self._dry + 1)) > WORTH * spread

    def _fresh_pays(self) -> bool:
        """Whether a fresh noise in full is likelier to win than a refinement: one more of so many is the best with a
        chance of one in all.

        What a win gains grows with the steps that are taken again as the price does, so that chances are all there is
        to compare.
        """
        return isinstance(self._start, Candidate) and 1 / (self.fulls + self.drafts + 1) > (self._won + 1) / (
            self._tried + 2
        )

    def _undrafted(self, pictures: float) -> int:
        """Fresh noises in full beside the start, where there are no drafts."""
        count = math.floor(pictures if pictures < FEWEST_PICTURES else round(UNDRAFTED * pictures))
        return max(count, min(self._lineages, math.floor(pictures))) - 1

    def _too_few(self, finished: int) -> bool:
        """Whether so many pictures that are made of drafts leave a second judge too little to choose from."""
        return 1 + finished < self._lineages

    def _draft(self, count: float = 1.0) -> Work:
        """What drafts take, also where another setup makes them."""
        return Work(self._allowance.cost(draft(fresh(0), self.levels)), DRAFT, count)

    def _waves(self) -> list[tuple[int, int]]:
        """How many drafts, and how many of them to finish, in each wave; none where there is nothing to choose from."""
        if not self.levels:
            return []
        steps, cost, depth = self._schedule.steps, self._draft().worth * self._schedule.steps, self._finishing
        finished = max(round(FINISHED * self._pictures * steps / depth), 1)
        paid = math.floor((self._left - finished * depth) / cost + ROUNDING)
        drafts = min(round(EXPLORED * self._pictures * steps / cost), paid)
        if drafts < max(FEWEST_DRAFTS, finished) or self._too_few(finished):
            return []
        if finished == 1 or drafts < TWO_WAVES:
            return [(drafts, finished)]
        return [(drafts - drafts // 2, finished // 2), (drafts // 2, finished - finished // 2)]

    def _drafted(self, waves: list[tuple[int, int]]) -> Story:
        own = self.best
        for number, (count, finished) in enumerate(waves, 1):
            yield from self._wave(own, count, finished)
            if self.best == own and number < len(waves):
                yield from self._fresh(math.floor(waves[number][0] * self._draft().worth + ROUNDING))
                return

    def _by_the_clock(self) -> Story:
        """Wave after wave, each planned by what is left: drafts until they come to nothing, or are too dear."""
        own = self.best
        while self.levels and not self._too_dear(self._draft()) and (wave := self._next_wave()):
            yield from self._wave(own, *wave)
            if self.best == own and len(self.made) >= PROOF:
                break
        else:
            if self.made:
                return
        whole = self._whole(WHOLE)
        while (count := self._undrafted(whole) + 1 - self.fulls - len(self.made)) > 0 and self._times(WHOLE):
            # with a known pace all at once: where the time goes faster after all, what is there are whole pictures
            yield from self._fresh(count if self._allowance.paced else max(1, min(count, math.floor(self._grown()))))

    def _next_wave(self) -> tuple[int, int] | None:
        """How many drafts, and how many to finish, so that the shares of the whole are kept and the wave can be ended;
        None where there were enough, or nothing is left to choose from.
        """
        cheap, made = self._draft(), self._work(self._finishing, begins=True)
        drafts, finished = EXPLORED / cheap.worth, FINISHED / made.worth  # per picture's worth of the whole
        refined = self._work(self._finishing, (1 - EXPLORED) / made.worth)
        whole = self._whole(self._draft(drafts), refined)
        wanted = round(finished * whole) - len(self.made)
        if not self.made and self._too_few(wanted):
            return None
        grown = self._grown() / (drafts * cheap.worth + finished * made.worth)
        count = min(round(drafts * whole) - self.drafts, max(round(drafts * grown), FEWEST_DRAFTS))
        for number in range(min(wanted, max(round(finished * grown), 1)), 0, -1):
            count = min(count, math.ceil(number * drafts / finished) + 1)
            made = self._work(self._finishing, number, begins=True)
            if count >= FEWEST_DRAFTS and self._times(self._draft(count), made):
                return count, number
        return None

    def _wave(self, own: Proposal, count: int, finished: int) -> Story:
        """Drafts, and then the most promising ones of all are finished."""
        earlier, drafts = tuple(self.made), self._drafts
        new = tuple(draft(fresh(next(self._seeds)), self.levels) for _ in range(count))
        self._spend(math.fsum(map(self._allowance.cost, new)))
        promised = yield Stage((own, *new), (*drafts, *earlier))
        self._drafts = drafts = (*drafts, *new)
        finished_before = set(self.made.values())
        waiting = [proposed for proposed in drafts if proposed not in finished_before]
        if self._timed:  # the time may have gone faster
            finished = min(finished, self._times(self._work(self._finishing, begins=True)))
        pictures = self._finished(sorted(waiting, key=promised.__getitem__, reverse=True)[:finished])
        if not pictures:
            return
        scores = yield Stage(pictures, (own, *drafts, *earlier))
        self.best = max((own, *self.made), key=scores.__getitem__)
        self._note((own, *self.made), scores)
        self.correlation = correlation(self.made, scores, scores)

    def _finished(self, drafts: list[Path]) -> tuple[Path, ...]:
        """Pictures from drafts, by way of the middle of the schedule."""
        made = {
            renoise(proposed, self._schedule.levels[-self._finishing - 1 :], next(self._seeds)): proposed
            for proposed in drafts
        }
        self._spend(self._finishing * len(made) / self._schedule.steps)
        self.made |= made
        return tuple(made)

    def _fresh(self, count: int) -> Generator[Stage, Scores, Scores]:
        noises = [fresh(next(self._seeds)) for _ in range(min(count, self._times(WHOLE)))]
        self.fulls += len(noises)
        self._spend(len(noises))
        scores = yield Stage((self.best, *noises))
        self._note(noises, scores)
        self.best = max(scores, key=scores.__getitem__)
        return scores

    def _note(self, pictures: Sequence[Proposal], scores: Scores) -> None:
        for picture in pictures:
            self._independent.put(picture, scores[picture])

    def _move(self, children: list[Path], scores: Scores) -> None:
        won = sum(1 for child in children if scores[child] > scores[self.best])
        self._dry = 0.0 if won else self._dry + math.fsum(map(self._schedule.cost, children))
        self.refined, self.accepted = self.refined + len(children), self.accepted + won
        self._won, self._tried = FORGET * self._won + won, FORGET * self._tried + len(children)
        super()._move(children, scores)
        self.depth = min(max(self.depth, self._shallowest), float(self._schedule.steps))

    @property
    def _shallowest(self) -> float:
        """The depth of which a round's shallowest child is worth judging, in steps."""
        return self._worth * SPREAD if self._worth > 1 else 1.0


def _check(pictures: int, judging: float, lineages: int) -> None:
    if pictures < 1:
        raise ValueError(f"pictures must be at least 1, got {pictures}")
    if not 0 <= judging < math.inf:
        raise ValueError(f"judging must be at least 0, got {judging}")
    if lineages < 1:
        raise ValueError(f"lineages must be at least 1, got {lineages}")
