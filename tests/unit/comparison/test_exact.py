import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import oracles, strategies
from tests.strategies import NOW_NS, PROPERTY, probes, seeds, view

from habeas.comparison import search
from habeas.errors import InputError, RuleError
from habeas.types import Basis, GalleryView, OriginKind, Templates
from habeas.video.edge import origin

AXES = np.eye(8, dtype=np.float32)


@PROPERTY
@given(
    seed=seeds,
    n=st.integers(0, 6),
    subjects=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=12),
    k=st.integers(1, 9),
)
def test_search_finds_what_the_double_loop_finds(seed: int, n: int, subjects: list[str], k: int) -> None:
    rng = np.random.default_rng(seed)
    references = strategies.unit_rows(rng, len(subjects), 16)
    vectors = strategies.unit_rows(rng, n, 16)
    found = search(probes(vectors), view(references, subjects), at_ns=NOW_NS, k=k)
    slow = oracles.search(vectors, references, subjects, k)
    assert found.similarities.shape == (n, min(k, len(set(subjects))) if n else 0)
    for row, expected in enumerate(slow):
        np.testing.assert_allclose(found.similarities[row], [value for _, value in expected], atol=1e-5)
        assert found.subject_ids[row].tolist() == [subject for subject, _ in expected]


@PROPERTY
@given(
    rows=st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 7)), min_size=1, max_size=10),
    probe=st.integers(0, 7),
    k=st.integers(1, 6),
)
def test_ties_go_by_id(rows: list[tuple[str, int]], probe: int, k: int) -> None:
    """On the axes every similarity is exactly 0 or 1, so that ties are exact."""
    references, subjects = AXES[[axis for _, axis in rows]], [subject for subject, _ in rows]
    found = search(probes(AXES[[probe]]), view(references, subjects), at_ns=NOW_NS, k=k)
    expected = oracles.search(AXES[[probe]], references, subjects, k)[0]
    assert list(zip(found.subject_ids[0].tolist(), found.similarities[0].tolist(), strict=True)) == expected


def test_a_subjects_similarity_is_that_of_the_best_reference() -> None:
    found = search(probes(AXES[[2]]), view(AXES[:5], ["b", "a", "a", "b", "c"]), at_ns=NOW_NS, k=3)
    assert found.subject_ids.tolist() == [["a", "b", "c"]]
    assert found.similarities.tolist() == [[1, 0, 0]]
    assert found.gallery_size == 5


def test_a_large_gallery_is_searched_whole_across_blocks() -> None:
    rng = np.random.default_rng(1)
    size = 65_536 + 3
    references = np.zeros((size, 8), np.float32)
    references[:, 0] = 1
    references[[5, 65_535, 65_536, size - 1]] = AXES[[1, 2, 3, 4]]
    subjects = np.array([f"{number:06d}" for number in range(size)])
    order = rng.permutation(size)
    found = search(probes(AXES[1:5]), view(references[order], subjects[order].tolist()), at_ns=NOW_NS)
    assert found.subject_ids[:, 0].tolist() == ["000005", "065535", "065536", f"{size - 1:06d}"]
    assert found.similarities[:, 0].tolist() == [1, 1, 1, 1]


def test_an_empty_gallery_and_no_probe_find_nobody() -> None:
    empty = view(np.zeros((0, 8), np.float32), [])
    assert search(probes(AXES[:3]), empty, at_ns=NOW_NS, k=2).similarities.shape == (3, 0)
    assert search(probes(AXES[:0]), view(AXES[:2], ["a", "b"]), at_ns=NOW_NS).similarities.shape == (0, 0)


def test_the_answer_says_what_was_searched_with_what() -> None:
    asked = view(AXES[:2], ["a", "b"])
    found = search(probes(AXES[:1]), asked, at_ns=NOW_NS)
    assert (found.view_id, found.model_id) == (asked.view_id, "m")


@pytest.mark.parametrize(
    ("rule", "asked", "templates"),
    [
        ("basis", view(AXES[:1], ["a"]), Templates(AXES[:1], "m", None)),
        ("basis", view(AXES[:1], ["a"], basis=Basis.DEMO), probes(AXES[:1])),
        ("basis", view(AXES[:1], ["a"], basis=Basis.EVALUATE), probes(AXES[:1], origin(OriginKind.FILE, "f"))),
        ("scope", view(AXES[:1], ["a"], camera_id="gate"), probes(AXES[:1])),
        ("window", view(AXES[:1], ["a"], valid_until_ns=NOW_NS), probes(AXES[:1])),
        ("window", view(AXES[:1], ["a"], valid_from_ns=NOW_NS + 1), probes(AXES[:1])),
        # Refused before it is known that there is nothing to compare.
        ("window", view(AXES[:0], [], valid_until_ns=NOW_NS), probes(AXES[:0])),
    ],
)
def test_what_the_view_does_not_admit_is_not_compared(rule: str, asked: GalleryView, templates: Templates) -> None:
    with pytest.raises(RuleError) as refused:
        search(templates, asked, at_ns=NOW_NS)
    assert refused.value.rule == rule


def test_templates_of_another_model_are_not_compared() -> None:
    with pytest.raises(InputError):
        search(probes(AXES[:1], model_id="n"), view(AXES[:1], ["a"]), at_ns=NOW_NS)


def test_nothing_but_a_gallery_view_is_searched() -> None:
    class Mine(GalleryView):
        def __post_init__(self, seal: object = None) -> None:
            """No seal asked for."""

        def admit(self, *_anything: object) -> None:
            """Whatever."""

    fields = {field.name: None for field in dataclasses.fields(GalleryView)}
    fields |= {"vectors": AXES[:1], "subject_ids": np.array(["a"]), "view_id": "x", "model_id": "m"}
    if "seal" not in fields:
        fields["seal"] = None
    forged = [
        Mine(**fields),  # type: ignore[arg-type]
        SimpleNamespace(**fields, admit=lambda *_: None, __len__=lambda: 1),
    ]
    for fake in forged:
        with pytest.raises(RuleError) as refused:
            search(probes(AXES[:1]), fake, at_ns=NOW_NS)  # type: ignore[arg-type]
        assert refused.value.rule == "gallery-view"
