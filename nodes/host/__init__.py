"""The only place that touches the host beyond its node API: sampling, memory, files, progress."""
