import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import PROPERTY

from habeas.errors import ModelError
from habeas.models.checks import check_bytes, check_file, has_external_data
from habeas.models.manifest import DEFAULT_PACK, Carrier, PackagedFile
from habeas.settings import Settings

# --- onnx.proto by hand ---------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


PLAIN = number(1, 3) + number(2, 1) + part(8, b"weights") + part(9, b"\0" * 12)
"""TensorProto: dims, data_type, name, raw_data."""
POINTER = part(1, b"location") + part(2, b"/etc/passwd")
"""StringStringEntryProto: key, value."""
OUTSIDE = PLAIN + part(13, POINTER) + number(14, 1)
ONLY_ENTRY = PLAIN + part(13, POINTER)
ONLY_LOCATION = PLAIN + number(14, 1)


def model(graph: bytes) -> bytes:
    """ModelProto: ir_version, producer_name, graph."""
    return number(1, 8) + part(2, b"test") + part(7, graph)


def where(tensor: bytes) -> dict[str, bytes]:
    """The places at which an ONNX file keeps a tensor."""
    attribute = part(1, b"value") + part(5, tensor)
    node = part(4, b"Constant") + part(5, attribute)
    inner = part(1, node)
    return {
        "initializer": model(part(5, tensor)),
        "sparse values": model(part(15, part(1, tensor))),
        "sparse indices": model(part(15, part(2, tensor))),
        "constant": model(part(1, node)),
        "constants": model(part(1, part(5, part(10, tensor)))),
        "sparse constant": model(part(1, part(5, part(22, part(1, tensor))))),
        "sparse constants": model(part(1, part(5, part(23, part(1, tensor))))),
        "branch": model(part(1, part(5, part(6, inner)))),
        "branches": model(part(1, part(5, part(11, part(5, tensor))))),
        "function": number(1, 8) + part(25, part(7, node)),
        "after others": model(part(5, PLAIN) + part(5, PLAIN) + part(5, tensor)),
    }


@pytest.mark.parametrize("tensor", [OUTSIDE, ONLY_ENTRY, ONLY_LOCATION], ids=["both", "entry", "location"])
@pytest.mark.parametrize("place", where(PLAIN))
def test_data_outside_the_file_is_found_wherever_a_tensor_can_be(place: str, tensor: bytes) -> None:
    assert has_external_data(where(tensor)[place])
    assert not has_external_data(where(PLAIN)[place])


def test_the_word_alone_is_no_pointer() -> None:
    assert not has_external_data(model(part(2, b"external_data location")))
    assert not has_external_data(model(part(5, PLAIN + number(14, 0))))


def test_the_shipped_models_keep_their_weights(settings: Settings) -> None:
    for file in DEFAULT_PACK.files:
        if file.name.endswith(".onnx"):
            assert not has_external_data((settings.models.folder / file.name).read_bytes())


@PROPERTY
@given(data=st.binary(max_size=200))
def test_any_bytes_are_judged_without_an_accident(data: bytes) -> None:
    assert has_external_data(data) in (True, False)
    assert has_external_data(model(part(5, data))) in (True, False)


def test_nesting_without_end_is_no_accident() -> None:
    data = OUTSIDE
    for _ in range(2000):
        data = part(6, part(1, part(5, data)))
    assert has_external_data(model(part(1, part(5, data)))) in (True, False)


# --- the whole check ------------------------------------------------------------------------------------------------


def pinned(data: bytes, name: str = "net.onnx") -> PackagedFile:
    digest = hashlib.sha256(data).hexdigest()
    return PackagedFile(name, Carrier.WHEEL, "pkg==1", "pkg/net.onnx", digest, len(data), "MIT", 1)


def test_the_pinned_bytes_pass(tmp_path: Path) -> None:
    data = model(part(5, PLAIN))
    (tmp_path / "net.onnx").write_bytes(data)
    assert check_file(tmp_path / "net.onnx", pinned(data)) == data


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_even_with_the_pinned_hash(protocol: int) -> None:
    data = pickle.dumps({"weights": [1.0]}, protocol)
    with pytest.raises(ModelError, match="pickle"):
        check_bytes(data, pinned(data))


def test_archives_that_hold_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", x=np.zeros(2))
    for name in ("a.npy", "b.npz"):
        data = (tmp_path / name).read_bytes()
        with pytest.raises(ModelError, match="pickle"):
            check_bytes(data, pinned(data))


def test_external_data_is_refused_even_with_the_pinned_hash() -> None:
    data = model(part(5, OUTSIDE))
    with pytest.raises(ModelError, match="outside"):
        check_bytes(data, pinned(data))


def test_other_bytes_are_refused() -> None:
    data = model(part(5, PLAIN))
    for wrong in (data[:-1], data + b"\0", b"", data[:5] + bytes([data[5] ^ 1]) + data[6:]):
        with pytest.raises(ModelError, match=r"net\.onnx.*SHA-256") as refused:
            check_bytes(wrong, pinned(data))
        assert "models pull" in refused.value.remedy


def test_a_file_that_cannot_be_read_is_an_error_of_the_models(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    for path in (tmp_path / "net.onnx", tmp_path / "none.onnx"):
        with pytest.raises(ModelError, match="cannot read") as refused:
            check_file(path, pinned(b"x"))
        assert "models pull" in refused.value.remedy


def test_the_manifest_is_whole() -> None:
    files = DEFAULT_PACK.files
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.size > 0
        assert file.licence
        assert ("==" if file.carrier is not Carrier.NPM else "@") in file.requirement
        assert "://" not in file.requirement
