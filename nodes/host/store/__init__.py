"""What is kept on disk: the user's database, what earlier runs paid for, the seed book, and the identity of all
that.


May import setup and graph.
"""
