"""Trains the demo models from seeds: `python -m demo.train vae|diffusion|dreams|clip|drawn|counts`, in this pack.

What the committed weights took, on one of two busy cores with AMX (bfloat16 products; without AMX everything runs in
float32, 230 instead of 570 pictures per second on an idle core), in wall time:

    python -m demo.train vae --minutes 9                  41.7 dB, 99 % of pictures pass the checker after a round trip
    python -m demo.train diffusion --minutes 42           554 000 pictures, about 30 CPU minutes
    python -m demo.train diffusion --size small --minutes 24 --no-compile    573 000 pictures, 17 CPU minutes
    python -m demo.train dreams --captions 900            4 500 pictures, 3 CPU minutes
    python -m demo.train clip --minutes 10 --no-compile   first with 8 dream groups, 400 captions, no tint; then 5 more
    as is python -m demo.export --size base && python -m demo.export --size small && python -m demo.export --clip --size
    base

Recipe: the denoiser is a rectified flow with Muon on the blocks' matrices and AdamW on the rest, averaged weights,
    shift 3. The
CLIP is a small ResNet because vision transformers of its size learned next to nothing in this time. It also learned
from the base model's own pictures of training captions ("dreams"), graded by the checker. Minutes are wall time: a busy
machine sees fewer pictures.

`python -m demo.measure --captions 52 --seeds 32`, held-out captions of all families, cfg 3: 0.38 pass from one seed,
0.64 best of 4, 0.80 best of 16 by the checker (hardest family, "double": 0.01, 0.03, 0.13); 0.57 best of 4 and 0.66
best of 16 by the CLIP, whose rank correlation with the checker within a caption is 0.56. What it cannot do: tell a
clean picture of the caption from clean ones that differ in one fact (0.33 of the time among four, chance is 0.25). The
small denoiser is much weaker, for comparisons: 0.09 pass from one seed (104 captions).

The CLIPs of `train_drawn_clip`, for benchmarks that flatter nobody, side by side on two cores of an AMD EPYC with other
work beside them, 2 144 and 2 312 steps:

    python -m demo.train drawn --minutes 48 --no-compile
    python -m demo.train counts --minutes 48 --no-compile
    python -m demo.export --clip drawn && python -m demo.export --clip counts

On 16 captions of the harder families with 32 pictures each, rank correlation with the checker within a caption, and the
checker's mean score of the best of 16 (any: 0.79): "drawn" 0.46 and 0.85, "counts" 0.59 and 0.91, the CLIP above 0.60
and 0.89.
"""

import argparse
import logging
from pathlib import Path

import torch

from . import dreams, train_diffusion, train_vae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("vae", "diffusion", "dreams", "clip", "drawn", "counts"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--captions", type=int, default=600, help="captions to dream of")
    parser.add_argument("--size", choices=tuple(train_diffusion.DEPTHS), default="base")
    parser.add_argument("--folder", type=Path, default=Path("build/demo"), help="where training states are kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true", help="skip torch.compile, for short runs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.what == "vae":
        train_vae.run(options.minutes, options.folder)
    elif options.what == "diffusion":
        train_diffusion.run(options.minutes, options.folder, options.size, not options.no_compile)
    elif options.what == "dreams":
        dreams.run(options.folder, options.captions, size=options.size)
    elif options.what in ("drawn", "counts"):
        from . import train_drawn_clip

        recipe = train_drawn_clip.RECIPES[options.what]
        train_drawn_clip.run(options.minutes, options.folder, recipe, not options.no_compile)
    else:
        from . import train_clip  # needs open_clip, which the other two do without

        train_clip.run(options.minutes, options.folder, not options.no_compile)


if __name__ == "__main__":
    main()
