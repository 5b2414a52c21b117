"""What the clock asks for each second, whoever keeps it: ends, destruction, and what may be compared after them."""

from collections.abc import Callable

from habeas.accounts.staff import forget_names
from habeas.authority import discard
from habeas.authority.gallery import Gallery
from habeas.keys import KeyStore
from habeas.ports import Clock
from habeas.review import ending
from habeas.store import Store

Step = Callable[[], None]


def tick(
    store: Store,
    keys: KeyStore,
    gallery: Gallery,
    clock: Clock,
    guarded: Callable[[Step], None],
    on_call: Callable[[str], None],
) -> None:
    """Do what is due now.

    Each step is a transaction of its own: an end is kept where a later step fails.

    Args:
        store: the database.
        keys: the key store.
        gallery: compiled anew as soon as an authorisation has ended, before anything that may take longer.
        clock: the store's.
        guarded: runs each step, and says what becomes of its error.
        on_call: hears of each alert for which the on-call reviewer is to be called, by id.
    """

    def end_authorisations() -> None:
        with store.write() as tx:
            if discard.tick(tx, keys):
                gallery.stale()

    def end_alerts() -> None:
        with store.write() as tx:
            ticked = ending.tick(tx, keys)
        for alert_id in ticked.called:
            on_call(alert_id)

    def reconcile() -> None:
        with store.write() as tx:
            discard.reconcile(tx, keys)

    def forget_staff() -> None:
        with store.write() as tx:
            forget_names(tx, keys)

    for step in (forget_staff, lambda: _reap(keys, clock), end_authorisations, gallery.refresh, end_alerts, reconcile):
        guarded(step)


def _reap(keys: KeyStore, clock: Clock) -> None:
    keys.reap(clock.now_ns())
