"""Noise search on plain torch: the noise algebra, recipes, the runner and the algorithms. Knows no host, no model, no
verifier.
"""

# pyright: reportUnusedImport=false
# what is imported here is for those who import this package

from .allowance import Allowance, Record, Work
from .auto_search import AutoSearch
from .draft_search import DraftSearch
from .leaves import leaf_digest
from .local_search import LocalSearch
from .noise import Candidate, SeedStream, Shape, check_independent, draw, fresh, leaf, materialize, mix, span, unused
from .path import Path, Proposal, Schedule, draft, finish, renoise, stage
from .path_search import PathSearch
from .random_search import RandomSearch
from .recipe import Recipe, RecipeError, check_schedule, check_shapes, dumps, loads
from .refine_search import RefineSearch
from .resampling import RESAMPLERS
from .run import Budget, Driver, Round, Search, run
from .selection import keep_different
from .stages import Stage, Stages
from .steered_search import SteeredSearch
from .stopping import worth_it
from .trace import Ledger, Measured, Trace, Trial
from .zero_order import ZeroOrderSearch
