"""The searches along the sampling path against best of N at equal cost, in the real host.

As `bench search`, whose random pictures serve here too.
"""

from __future__ import annotations

import sys

from .algorithms import PATHS
from .session import measured, opened, told

SECTION = "paths"


def main() -> int:
    session = opened(SECTION, __doc__)
    measured(session, PATHS)
    if not session.options.only_pool:
        told(session, session.base(), PATHS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
