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


FOR_LIFE: Final = frozenset({Purpose.MISSING_PERSON, Purpose.THREAT_TO_LIFE})
"""For these a small installation may use all its cameras, and a minor may be listed."""
