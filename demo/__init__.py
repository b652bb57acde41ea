"""A tiny text-to-image model, its scenes and its exact checker: enough to try every search on a CPU in seconds."""
