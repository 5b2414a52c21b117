"""The public register: what outsiders may read of an installation, made of its log and of nothing else.

::

    openings -> fold.Fold -> figures.register_of -> document.as_json -> pages, publish
                                   delays says what is shown when, and how coarse
"""
