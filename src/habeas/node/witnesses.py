"""What `habeas doctor` says of the witnesses that the policy names: whether each has an address, and answers there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from habeas.audit.asking import problem_at
from habeas.audit.policy import WitnessPolicy
from habeas.node.findings import Finding, fail, ok, warn
from habeas.settings import LogSettings

NO_ADDRESS: Final = "no address is set for it"
_SET: Final = "set log.witness_urls in habeas.yaml, start the node again"
_ASK: Final = "compare log.witness_urls with its operator"


def check_witnesses(
    policy: WitnessPolicy, settings: LogSettings, problem: Callable[[str, float], str] = problem_at
) -> Iterator[Finding]:
    """Look whether enough witnesses can be asked. It fails without a quorum: a day later nothing can be started.

    Args:
        policy: in force.
        settings: where they answer.
        problem: says why none answers at an address, within so many seconds; empty: one does.
    """
    names = [one.name for one in policy.witnesses]
    wrong = {name: why for name in names if (why := _problem(name, settings.witness_urls, settings, problem))}
    answer = len(names) - len(wrong)
    found = warn if answer >= policy.quorum else fail
    for name, why in wrong.items():
        yield found("witnesses", f"{name}: {why}", _SET if why == NO_ADDRESS else _ASK, witness=name)
    for name in sorted(settings.witness_urls.keys() - set(names)):
        remedy = "habeas policy propose 'witnesses=...', or take its address out of log.witness_urls"
        yield warn("witnesses", f"{name} has an address, but the policy does not name it", remedy, witness=name)
    if not names:
        yield ok("witnesses", "the policy names none: the log is self-witnessed")
    elif not wrong:
        yield ok("witnesses", f"all {answer} answer; {policy.quorum} must cosign", quorum=policy.quorum)


def _problem(name: str, urls: Mapping[str, str], settings: LogSettings, problem: Callable[[str, float], str]) -> str:
    return problem(urls[name], settings.witness_timeout_s) if name in urls else NO_ADDRESS
