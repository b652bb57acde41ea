"""Makes the pictures of the help pages, of the documentation and of the template browser, from real runs on the tiny
models.
"""
