"""The pack's own socket types. Everything else on its nodes is the host's."""

from comfy_api.latest import io

CATEGORY = "noise search"

Sampling = io.Custom("NOISE_SEARCH_SAMPLING")
Verifier = io.Custom("NOISE_SEARCH_VERIFIER")
Trace = io.Custom("NOISE_SEARCH_TRACE")
