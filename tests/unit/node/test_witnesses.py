"""What the doctor says of witnesses: those without an address, those that do not answer, and those nobody named."""

import pytest
from tests.unit.audit.signers import WITNESSES
from tests.unit.node.test_doctor import healths

from habeas.audit.policy import WitnessPolicy
from habeas.node.findings import Finding
from habeas.node.witnesses import check_witnesses
from habeas.settings import LogSettings

NAMES = [one.name for one in WITNESSES[:3]]
POLICY = WitnessPolicy(tuple(one.verifier for one in WITNESSES[:3]), 2)
URLS = {name: f"https://{name}" for name in NAMES}


def found(urls: dict[str, str], down: str = "", policy: WitnessPolicy = POLICY) -> list[Finding]:
    """What is found where one address does not answer."""
    settings = LogSettings(witness_urls=urls)
    return list(check_witnesses(policy, settings, lambda url, _s: "it does not answer" if url == down else ""))


def test_all_is_well_where_all_answer_or_nobody_is_named() -> None:
    assert healths(found(URLS)) == {"witnesses": "ok"}
    (one,) = found({}, policy=WitnessPolicy())
    assert "self-witnessed" in one.text


@pytest.mark.parametrize(("urls", "health"), [(NAMES[:2], "warn"), (NAMES[:1], "fail"), ([], "fail")])
def test_one_without_an_address_is_told_and_without_a_quorum_it_fails(urls: list[str], health: str) -> None:
    told = found({name: URLS[name] for name in urls})
    assert healths(told) == {"witnesses": health}
    assert [one.facts["witness"] for one in told] == NAMES[len(urls) :]
    assert all("no address" in one.text and "log.witness_urls" in one.remedy for one in told)


def test_one_that_does_not_answer_is_told() -> None:
    (one,) = found(URLS, down=URLS[NAMES[1]])
    assert (one.health.value, one.text) == ("warn", f"{NAMES[1]}: it does not answer")


def test_an_address_of_one_that_the_policy_does_not_name_is_told() -> None:
    told = found({**URLS, "old.example": "https://old.example"})
    assert [(one.health.value, one.facts.get("witness")) for one in told] == [("warn", "old.example"), ("ok", None)]
