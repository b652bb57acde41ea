"""Verifiers: what judges pictures. Plain torch, no host."""
