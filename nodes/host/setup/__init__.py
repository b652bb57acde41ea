"""The setup: how a noise becomes a picture with the host's models, samplers and latents, and what may share a batch.

May import graph.
"""
