"""What a browser sees and may ask: panels, Human Pick, the seed book, and whose run it is.

May import engine, store, files and graph. The nodes open its doors (routes) and hand it to the engine.
"""
