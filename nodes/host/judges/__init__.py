"""Verifiers in the host: their weights, their memory, and how they are asked.

May import files, setup and graph.
"""
