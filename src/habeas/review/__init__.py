"""What people say of alerts: raised, shown, judged by two, ended.

`table` and `grouping` are pure; `alerts`, `verdicts`, `queue` and `ending` act inside a transaction of the store.

Keys and rows. An alert's image lies in its row, encrypted under a key of its own. Its end is always the same two steps:
the row forgets the image and says so in an entry, in one transaction; after the commit the key is destroyed. A crash
in between leaves a key that opens nothing any more but what the disk may still hold of the old row. `ending.tick`
destroys every key of the scope `alert` that no row names, so that such a key lives until the next tick, and the key
store's reaper destroys it at its expiry in any case. Keys of that scope are this package's alone.
"""
