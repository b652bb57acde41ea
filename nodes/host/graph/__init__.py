"""The queued graph: what is upstream of a node, the text of its prompt, and nodes that run as copies of themselves.

Imports the ground floor only.
"""
