"""Footage: recorded as it comes, encrypted as it is written, gone at its deadline; held where two approve it.

`form` has the bytes of a segment, `files` the files, `rows` what the database says; `recorder` writes them, `adopting`
finds them again when the node starts, `retention` ends them.

`holding` has what may be held, pure; `holds` and `requests` are the commands, `keeping` and `gracing` what the clock
asks for; `copying` copies, `showing` and `playing` say who sees what of it.
"""
