"""Pictures and what is written beside them and into them, in the host's output folders.

May import graph.
"""
