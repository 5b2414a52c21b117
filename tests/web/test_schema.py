"""Requests made from the OpenAPI document, valid and not: no failure of ours, every error of the shape it promises."""

import json
import warnings

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.web.matrix import PREFIX, problem
from tests.web.test_routes import DOCUMENT
from tests.web.world import World

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of what schemathesis is made of, not of ours
    import schemathesis
    from schemathesis import GenerationMode

SCHEMA = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text(encoding="utf-8")))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
EVERYTHING = ("operator-requester-approver-auditor", "admin", "privacy", "nobody")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_no_request_made_from_the_document_makes_the_node_fail(
    world: World, client: httpx.Client, operation: schemathesis.APIOperation
) -> None:
    cases = st.one_of(operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))

    @settings(
        max_examples=10,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, who=st.sampled_from(EVERYTHING))
    def answered(case: schemathesis.Case, who: str) -> None:
        asked = case.as_transport_kwargs(base_url="http://node")
        headers = {"authorization": f"Bearer {world.secrets[who]}"} if who in world.secrets else {}
        if "data" in asked:
            headers["content-type"] = "application/json"
        body = {"json": asked["json"]} if "json" in asked else {"content": asked.get("data")}
        answer = client.request(asked["method"], asked["url"], headers=headers, params=asked.get("params"), **body)
        if answer.status_code >= 400:
            problem(answer)

    answered()
    assert client.get(f"{PREFIX}/healthz").status_code == 200
    world.restore()
