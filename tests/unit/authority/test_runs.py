from collections.abc import Iterator

import numpy as np
import pytest
from tests.strategies import probes

from habeas.app import App
from habeas.authority import Reference, RunAuthorisation, Subject, evaluation_view, runs
from habeas.clock import ManualClock
from habeas.comparison import search
from habeas.errors import InputError, RuleError
from habeas.types import NS_PER_S, U8, Basis, OriginKind
from habeas.video.edge import origin

AXES = np.eye(8, dtype=np.float32)
EIGHT_HOURS_NS = 8 * 3600 * NS_PER_S


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """The limits count over the process: a test that leaves a run open would fail its neighbours."""
    assert runs._open_runs == []
    yield
    assert runs._open_runs == []


def subject(axis: int, name: str = "", model_id: str = "m", count: int = 1) -> Subject:
    references = tuple(Reference(AXES[axis], model_id) for _ in range(count))
    return Subject(name or f"person-{axis}", references)


def refusal(subjects: list[Subject], clock: ManualClock, basis: str = "consent") -> RuleError | InputError:
    with pytest.raises((RuleError, InputError)) as refused:
        RunAuthorisation(subjects, basis, clock)
    assert refused.value.remedy
    return refused.value


@pytest.mark.parametrize("basis", ["evaluate", "missing-person", "court-order", "", "CONSENT", "consent "])
def test_without_a_workspace_there_is_no_other_basis(clock: ManualClock, basis: str) -> None:
    error = refusal([subject(0)], clock, basis)
    assert isinstance(error, RuleError)
    assert error.rule == "basis"


@pytest.mark.parametrize(("basis", "kind"), [("consent", Basis.CONSENT), ("demo", Basis.DEMO)])
def test_a_run_lists_its_subjects(clock: ManualClock, basis: str, kind: Basis) -> None:
    with RunAuthorisation([subject(1, "zoe", count=2), subject(0, "ada")], basis, clock) as run:
        view = run.whole_view()
        assert view.subject_ids.tolist() == ["ada", "zoe", "zoe"]
        assert set(view.authorisation_ids.tolist()) == {run.authorisation_id}
        assert (view.basis, view.model_id, view.camera_id) == (kind, "m", None)
        assert (view.valid_from_ns, view.valid_until_ns) == (clock.now_ns(), clock.now_ns() + EIGHT_HOURS_NS)
        assert "zoe" not in repr(run)


def test_somebody_must_be_looked_for(clock: ManualClock) -> None:
    assert "nobody" in refusal([], clock).message
    assert "nobody" in refusal([subject(0), Subject("empty", ())], clock).message


def test_a_name_is_given_once(clock: ManualClock) -> None:
    assert "same name" in refusal([subject(0, "ada"), subject(1, "ada")], clock).message


def test_the_same_face_is_listed_once(clock: ManualClock) -> None:
    error = refusal([subject(0, "ada"), subject(1, "bob"), subject(0, "eve")], clock)
    assert isinstance(error, InputError)
    assert "ada and eve have the same face" in error.message


def test_the_same_person_in_two_photographs_is_listed_once(
    app: App, portraits: dict[str, U8], clock: ManualClock
) -> None:
    people = app.enrol({"one": [portraits["obama"]], "two": [portraits["obama-2"]]})
    assert "one and two have the same face" in refusal(people, clock).message


def test_references_of_two_models_are_not_mixed(clock: ManualClock) -> None:
    assert "different models" in refusal([subject(0), subject(1, model_id="n")], clock).message


def test_a_subject_has_at_most_five_references(clock: ManualClock) -> None:
    assert "6 images" in refusal([subject(0, count=6)], clock).message
    RunAuthorisation([subject(0, count=5)], "consent", clock).close()


def test_a_subjects_references_show_one_person(clock: ManualClock) -> None:
    two = Subject("ada", (Reference(AXES[0], "m"), Reference(AXES[1], "m")))
    assert isinstance(refusal([two], clock), InputError)
    alike = np.float32([0.31, (1 - 0.31**2) ** 0.5, *[0] * 6])
    RunAuthorisation([Subject("ada", (Reference(AXES[0], "m"), Reference(alike, "m")))], "consent", clock).close()


# --- three people, over the whole process ---------------------------------------------------------------------------


def test_a_fourth_subject_is_refused_in_one_run(clock: ManualClock) -> None:
    error = refusal([subject(axis) for axis in range(4)], clock)
    assert isinstance(error, RuleError)
    assert error.rule == "subject-limit"
    RunAuthorisation([subject(axis) for axis in range(3)], "consent", clock).close()


def test_a_fourth_subject_is_refused_across_runs_until_one_closes(clock: ManualClock) -> None:
    first = RunAuthorisation([subject(0), subject(1)], "consent", clock)
    with RunAuthorisation([subject(2)], "demo", clock):
        error = refusal([subject(3)], clock)
        assert isinstance(error, RuleError)
        assert error.rule == "subject-limit"
        first.close()
        first.close()
        RunAuthorisation([subject(3), subject(4)], "consent", clock).close()


def test_a_refused_run_takes_up_no_room(clock: ManualClock) -> None:
    for _ in range(3):
        refusal([subject(axis) for axis in range(4)], clock)
        refusal([subject(0), subject(0, "twin")], clock)
    RunAuthorisation([subject(axis) for axis in range(3)], "consent", clock).close()


def test_a_run_that_fails_inside_frees_its_room(clock: ManualClock) -> None:
    with pytest.raises(ZeroDivisionError), RunAuthorisation([subject(0)], "consent", clock):
        _ = 1 / 0
    assert runs._open_runs == []


# --- two live sources -----------------------------------------------------------------------------------------------


def test_a_third_live_source_is_refused_and_the_two_go_on(clock: ManualClock) -> None:
    with RunAuthorisation([subject(0)], "consent", clock) as run:
        one, two, three = (origin(OriginKind.LIVE, name) for name in "abc")
        for where in (one, two, one, two):
            run.view(where)
        with pytest.raises(RuleError) as refused:
            run.view(three)
        assert refused.value.rule == "live-source-limit"
        run.view(one)
        for kind in (OriginKind.FILE, OriginKind.STILLS):
            run.view(origin(kind, "any"))


def test_live_sources_count_across_runs_and_are_freed(clock: ManualClock) -> None:
    one, two = (origin(OriginKind.LIVE, name) for name in "ab")
    first = RunAuthorisation([subject(0)], "consent", clock)
    with RunAuthorisation([subject(1)], "consent", clock) as second:
        first.view(one)
        second.view(two)
        with pytest.raises(RuleError):
            second.view(origin(OriginKind.LIVE, "c"))
        with pytest.raises(RuleError):
            second.view(origin(OriginKind.LIVE, "a"))  # of the same name, and another source
        second.view(one)
        first.close()
        with pytest.raises(RuleError):
            second.view(origin(OriginKind.LIVE, "c"))
    with RunAuthorisation([subject(1)], "consent", clock) as third:
        third.view(origin(OriginKind.LIVE, "c"))


# --- the end --------------------------------------------------------------------------------------------------------


def test_after_closing_nothing_is_compared_and_nothing_is_held(clock: ManualClock) -> None:
    run = RunAuthorisation([subject(0)], "consent", clock)
    where = origin(OriginKind.FILE, "f")
    search(probes(AXES[:1], where), run.view(where), at_ns=clock.now_ns())
    held = run.view(where)
    run.close()
    with pytest.raises(RuleError) as revoked:
        search(probes(AXES[:1], where), held, at_ns=clock.now_ns())
    assert revoked.value.rule == "window"
    for ask in (run.whole_view, lambda: run.view(where)):
        with pytest.raises(RuleError) as refused:
            ask()
        assert refused.value.rule == "window"
    assert run.subjects == ()


def test_after_eight_hours_nothing_is_compared(clock: ManualClock) -> None:
    where = origin(OriginKind.FILE, "f")
    with RunAuthorisation([subject(0)], "consent", clock) as run:
        clock.advance(EIGHT_HOURS_NS - 1)
        search(probes(AXES[:1], where), run.view(where), at_ns=clock.now_ns())
        clock.advance(1)
        with pytest.raises(RuleError) as refused:
            search(probes(AXES[:1], where), run.view(where), at_ns=clock.now_ns())
        assert refused.value.rule == "window"


def test_a_clock_set_back_ends_it_too(clock: ManualClock) -> None:
    where = origin(OriginKind.FILE, "f")
    with RunAuthorisation([subject(0)], "consent", clock) as run:
        clock.advance(-1)
        with pytest.raises(RuleError):
            search(probes(AXES[:1], where), run.view(where), at_ns=clock.now_ns())


def test_the_demo_is_for_generated_scenes_only(clock: ManualClock) -> None:
    with RunAuthorisation([subject(0)], "demo", clock) as run:
        for kind in (OriginKind.LIVE, OriginKind.FILE, OriginKind.STILLS):
            where = origin(kind, "f")
            with pytest.raises(RuleError) as refused:
                search(probes(AXES[:1], where), run.view(where), at_ns=clock.now_ns())
            assert refused.value.rule == "basis"


# --- measuring ------------------------------------------------------------------------------------------------------


def test_a_gallery_for_measuring_is_of_any_size_and_for_stills_only(clock: ManualClock) -> None:
    view = evaluation_view(AXES, np.array([f"p{number}" for number in range(8)]), "m", clock)
    assert view.basis is Basis.EVALUATE
    search(probes(AXES[:1]), view, at_ns=clock.now_ns())
    for kind in (OriginKind.LIVE, OriginKind.FILE):
        with pytest.raises(RuleError):
            search(probes(AXES[:1], origin(kind, "f")), view, at_ns=clock.now_ns())
    clock.advance(24 * 3600 * NS_PER_S)
    with pytest.raises(RuleError):
        search(probes(AXES[:1]), view, at_ns=clock.now_ns())


class StoppedWallClock(ManualClock):
    """A clock whose wall time somebody keeps turning back."""

    def now_ns(self) -> int:
        return EIGHT_HOURS_NS


@pytest.mark.rule("W4")
def test_a_wall_clock_turned_back_buys_no_time() -> None:
    clock = StoppedWallClock()
    with RunAuthorisation([subject(0)], "consent", clock) as run:
        clock.advance(EIGHT_HOURS_NS - 1)
        view = run.whole_view()
        assert not view.revoked.is_set(), "control: until then it may be compared"
        clock.advance(1)
        with pytest.raises(RuleError) as refused:
            run.whole_view()
        assert refused.value.rule == "window"
        assert view.revoked.is_set()
