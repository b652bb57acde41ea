"""A search from its request to its result: rollouts, walks, measuring, the loop.

May import judges, store, files, setup and graph; knows no server.
"""
