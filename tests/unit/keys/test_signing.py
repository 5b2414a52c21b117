import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.errors import InputError
from habeas.keys.signing import SigningKey, verify

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]
"""RFC 8032, section 7.1, tests 1 and 2: private key, public key, message, signature."""
KEY = SigningKey(bytes(range(32)))


@pytest.mark.parametrize(("private", "public", "message", "signature"), RFC_8032)
def test_the_published_vectors(private: str, public: str, message: str, signature: str) -> None:
    key = SigningKey(bytes.fromhex(private))
    assert key.public_bytes.hex() == public
    assert key.secret_bytes().hex() == private
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public_bytes, bytes.fromhex(message), bytes.fromhex(signature))


@given(st.binary(max_size=100), st.integers(0, 511))
def test_a_changed_signature_message_or_key_is_refused(message: bytes, bit: int) -> None:
    signature = bytearray(KEY.sign(message))
    assert verify(KEY.public_bytes, message, bytes(signature))
    assert not verify(KEY.public_bytes, message + b"!", bytes(signature))
    assert not verify(SigningKey.generate().public_bytes, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(KEY.public_bytes, message, bytes(signature))


@pytest.mark.parametrize("length", [0, 31, 63, 65, 128])
def test_other_lengths_are_no_signatures_and_no_keys(length: int) -> None:
    assert not verify(KEY.public_bytes, b"", bytes(length))
    with pytest.raises(InputError, match="32 bytes"):
        SigningKey(bytes(length))
    with pytest.raises(InputError, match="32 bytes"):
        verify(bytes(length), b"", bytes(64))


def test_the_private_key_is_not_shown() -> None:
    assert KEY.secret_bytes().hex() not in repr(KEY) + str(KEY)
    assert KEY.public_bytes.hex() in repr(KEY)
    assert "secret" not in str(vars(KEY))
