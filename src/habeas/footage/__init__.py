"""Footage: recorded as it comes, encrypted as it is written, gone at its deadline.

`form` has the bytes of a segment, `files` the files, `recorder` writes them, `retention` ends them.
"""
