"""Runs generated graphs in the host, beside the stock sampler, and compares keys with latents."""

import torch

from .generated import Generated
from .nodes import NODES

KEEP = {"ko": {"class_type": "ToyKeep", "inputs": {"value": ["own", 0], "name": "own"}},
        "ks": {"class_type": "ToyKeep", "inputs": {"value": ["stock", 0], "name": "stock"}}}  # fmt: skip


class Generating:
    """Within `with`, the host knows other packs' nodes and a folder of LoRAs, and tells the identity of every search.

    Args:
        host: In this process.
        folder: For what is written.
    """

    def __init__(self, host, folder):
        self.host, self.folder = host, folder
        self.keys = []
        self.undo = []

    def __enter__(self):
        import folder_paths

        import nodes

        job = self.host.part("nodes.runner")
        identity_of, loras = job.identity_of, self.folder / "loras"
        loras.mkdir(parents=True, exist_ok=True)

        def told(hidden, request):
            found = identity_of(hidden, request)
            self.keys.append(found.sampling)
            return found

        self.put(job.__dict__, "identity_of", told)
        for kind in NODES:
            self.put(nodes.NODE_CLASS_MAPPINGS, kind.__name__, kind)
        self.put(folder_paths.folder_names_and_paths, "loras", ([str(loras)], {".safetensors"}))
        return self

    def __exit__(self, *error):
        for place, name, before in reversed(self.undo):
            if before is None:
                del place[name]
            else:
                place[name] = before

    def put(self, place, name, value):
        self.undo.append((place, name, place.get(name)))
        place[name] = value

    def cases(self, number, changes):
        """One graph, changed again and again, each time beside one that must be the same; what was wrong."""
        graph, self.picture, self.file = Generated(number), 0.1, 0.5
        wrong, changed = [], 0
        key, latent = self.run(graph.prompt())
        for _ in range(changes):
            what = graph.change()
            self.picture += 0.05 * (what == "picture")
            self.file = 1.4 - self.file if what == "file" else self.file
            new_key, new_latent = self.run(graph.prompt())
            differs = new_latent.shape != latent.shape or not torch.equal(new_latent, latent)
            changed += differs
            if differs and new_key == key:
                wrong.append(f"{what} changed the latent and not the key")
            key, latent = new_key, new_latent
            what, prompt = graph.neutral()
            same_key, same_latent = self.run(prompt)
            assert torch.equal(same_latent, latent), what
            if same_key != key:
                wrong.append(f"{what} changed the key and not the latent")
        return {"graph": number, "cases": 2 * changes, "changed": changed, "wrong": wrong}

    def run(self, prompt):
        """The key of the setup and the stock sampler's latent; the search's own is that latent."""
        for name, value in (("style", self.file), ("other", self.file + 0.2)):
            path = self.folder / "loras" / f"{name}.safetensors"
            if not path.exists() or path.read_text() != f"{value:.2f}":  # its time counts
                path.write_text(f"{value:.2f}")
        self.host.toys.VALUES["picture"] = {"samples": torch.full((1, 16, 8, 8), self.picture)}
        result = self.host.run({**prompt, **KEEP})
        assert result.ok, result.error
        own, stock = (result.kept[name][0]["samples"] for name in ("own", "stock"))
        assert torch.equal(own, stock)
        return self.keys[-1], stock
