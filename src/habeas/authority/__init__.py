"""What may be looked for. Only this package builds a gallery view.

So far: authorisations that hold for one run, without a workspace.
"""

from habeas.authority.references import Reference, Subject, make_reference
from habeas.authority.runs import RunAuthorisation, check_request, evaluation_view

__all__ = ["Reference", "RunAuthorisation", "Subject", "check_request", "evaluation_view", "make_reference"]
