"""Trains the demo models from seeds: `python -m demo.train vae|diffusion|clip --minutes N`, in the pack's folder."""

import argparse
import logging
from pathlib import Path

import torch

from . import dreams, train_diffusion, train_vae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("vae", "diffusion", "dreams", "clip"))
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
    else:
        from . import train_clip  # needs open_clip, which the other two do without

        train_clip.run(options.minutes, options.folder, not options.no_compile)


if __name__ == "__main__":
    main()
