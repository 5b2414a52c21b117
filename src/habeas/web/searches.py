"""Routes of the search of footage under an authorisation of the retrospective kind."""

from fastapi import APIRouter

from habeas.accounts.roles import Role
from habeas.footage import searches
from habeas.node.node import Node
from habeas.store import Tx
from habeas.store.footage_records import FootageSearch
from habeas.store.records import Authorisation
from habeas.types import seconds, utc
from habeas.web.calls import Caller
from habeas.web.strict import StrictRoute

routes = APIRouter(route_class=StrictRoute)


@routes.post("/authorisations/{authorisation_id}/search")
def search(call: Caller, authorisation_id: str) -> dict[str, object]:
    """Search the footage that an authorisation names, once; one that runs already goes on."""
    with call.command(trusted=True, witnessed=True) as (tx, actor):
        return _told(tx, call.node, searches.begin(tx, actor, authorisation_id))


@routes.get("/authorisations/{authorisation_id}/search")
def show_search(call: Caller, authorisation_id: str) -> dict[str, object]:
    """Say how far the search of footage is, and what it came to."""
    with call.look() as (tx, actor):
        actor.require(Role.REQUESTER, Role.APPROVER, Role.PRIVACY, Role.AUDITOR)
        actor.require_scope("read")
        return _told(tx, call.node, searches.search_of(tx, authorisation_id))


def _told(tx: Tx, node: Node, search: FootageSearch) -> dict[str, object]:
    row = tx.get(Authorisation, search.about_id)
    cameras = [camera_id for camera_id, _digest in row.cameras]
    done_ns = sum(searches.done_until_ns(search, one, row.from_ns) - row.from_ns for one in cameras)
    now = node.footage.retrospect.progress(search.about_id)
    return {
        "authorisation": search.about_id,
        "state": search.state,
        "began": utc(search.started_at_ns),
        "ended": None if search.ended_at_ns is None else utc(search.ended_at_ns),
        "cameras": sorted(now),
        "done_s": seconds(done_ns + sum(now.values())),
        "of_s": seconds(len(cameras) * (row.until_ns - row.from_ns)),
        "alerts": search.found,
        **searches.counts(search),
    }
