"""What somebody may be looked for: a closed list (product.md, "Authorisation")."""

import enum
from typing import Final


class Purpose(enum.Enum):
    """Why a person is looked for."""

    CONSENT = "consent"
    MISSING_PERSON = "missing-person"
    THREAT_TO_LIFE = "threat-to-life"
    SERIOUS_OFFENCE_SUSPECT = "serious-offence-suspect"
    COURT_ORDER = "court-order"


BY_DECISION: Final = frozenset({Purpose.SERIOUS_OFFENCE_SUSPECT, Purpose.COURT_ORDER})
"""These stand on a decision, of which the request carries the SHA-256."""
FOR_LIFE: Final = frozenset({Purpose.MISSING_PERSON, Purpose.THREAT_TO_LIFE})
"""For these a small installation may use all its cameras, and a minor may be listed."""
