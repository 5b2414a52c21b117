"""Footage: recorded as it comes, encrypted as it is written, gone at its deadline.

`form` has the bytes of a segment, `files` the files, `rows` what the database says; `recorder` writes them, `adopting`
finds them again when the node starts, `retention` ends them.
"""
