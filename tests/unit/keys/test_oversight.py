import pytest
from hypothesis import given
from hypothesis import strategies as st

from habeas.errors import InputError
from habeas.keys import new_identity, seal, unseal

OVERSIGHT = new_identity()


@given(st.binary(max_size=2000))
def test_what_was_sealed_is_unsealed(plaintext: bytes) -> None:
    sealed = seal(OVERSIGHT.recipient, plaintext)
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert unseal(OVERSIGHT.secret, sealed) == plaintext


def test_nobody_else_opens_it() -> None:
    sealed = seal(OVERSIGHT.recipient, b"an alert")
    assert b"an alert" not in sealed
    with pytest.raises(InputError, match="not sealed to that identity"):
        unseal(new_identity().secret, sealed)


@given(st.integers(0, 199))
def test_a_changed_byte_is_refused(position: int) -> None:
    sealed = bytearray(seal(OVERSIGHT.recipient, b"an alert"))
    sealed[position] ^= 1
    with pytest.raises(InputError):
        unseal(OVERSIGHT.secret, bytes(sealed))
    with pytest.raises(InputError):
        unseal(OVERSIGHT.secret, bytes(sealed[:position]))


@pytest.mark.parametrize("text", ["", "age1", "ssh-ed25519 AAAA", "x\0", pytest.param(OVERSIGHT.secret, id="secret")])
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no age recipient") as refused:
        seal(text, b"")
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1", pytest.param(OVERSIGHT.recipient, id="recipient")])
def test_what_is_no_identity_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no age identity"):
        unseal(text, seal(OVERSIGHT.recipient, b""))


def test_the_secret_half_is_not_shown() -> None:
    assert OVERSIGHT.secret not in repr(OVERSIGHT)
    assert OVERSIGHT.recipient in repr(OVERSIGHT)
