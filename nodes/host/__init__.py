"""All that touches ComfyUI, in rooms: each says what it is, and tests/test_layers.py what it may import.

On the ground floor: compat.py (versions of the host), errors.py (what failed, and what to do), chunks.py (as much at
once as fits into the memory), foreign_paths.py (paths that a workflow may bring).
"""
