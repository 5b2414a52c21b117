"""The append-only log of everything that was done, and what outsiders need to check that it was not rewritten.

`entry` and `hiding` say what the log holds of an entry, `log` grows and signs it in a `folder`, `asking` is its side of
its witnesses, `witness` theirs. All else are formats: pure functions and frozen records that read and write no file,
ask no clock and know no setting. They are published ones, and the whole of what this program says about them:

- RFC 6962, section 2.1, and RFC 9162, sections 2.1.3 and 2.1.4: trees and proofs (`merkle`).
- c2sp.org/tlog-tiles@v0.1.0: the tree and its entries as files (`tiles`).
- c2sp.org/signed-note@v1.0.0: texts with signatures (`note`).
- c2sp.org/tlog-checkpoint@v1.0.0: the signed head of a log (`checkpoint`).
- c2sp.org/tlog-cosignature@v1.0.1: what a witness signs (`cosignature`), Ed25519 only.
- c2sp.org/tlog-witness@v1.0.0: how it is asked (`witnessing`).
- c2sp.org/tlog-proof@v1, the format's own name, as of commit ab17a741 of C2SP/C2SP: an entry's proof (`proof`).

The quorum of witnesses (`policy`) is of c2sp.org/tlog-policy the case of one group, in our own notation.
"""
