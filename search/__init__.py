"""Noise search on plain torch: the noise algebra, recipes, the runner and the algorithms. Knows no host, no model, no verifier."""

from .leaves import digest
from .noise import Candidate, SeedStream, Shape, check_independent, draw, fresh, leaf, materialize, mix, span, unused
from .path import Path, Schedule, Tried, draft, finish, renoise, stage
from .random_search import RandomSearch
from .recipe import Recipe, RecipeError, check_schedule, check_shapes, dumps, loads
from .run import Budget, Round, Search, run
from .stages import Stage, Stages
from .trace import Ledger, Measured, Trace, Trial
from .zero_order import ZeroOrderSearch
