"""Asking for a camera's name without waiting for the answer: a resolver may block for as long as it likes."""

import asyncio
import threading
from contextlib import suppress

from habeas.errors import HabeasError, InputError
from habeas.video.address import AddressRules, CameraAddress, Resolver, recheck


def look_up(
    address: CameraAddress, rules: AddressRules, resolve: Resolver
) -> "asyncio.Future[CameraAddress | InputError]":
    """Check an address again, in a thread that nobody waits for at the end.

    Args:
        address: of a camera on a network.
        rules: what is allowed.
        resolve: asked for its name.

    Returns:
        the address as checked, or why it is not allowed or not known; of the running loop.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[CameraAddress | InputError] = loop.create_future()

    def tell(found: CameraAddress | InputError) -> None:
        if not answer.done():  # the loop ends
            answer.set_result(found)

    def ask() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, _found(address, rules, resolve))

    threading.Thread(target=ask, name="names", daemon=True).start()
    return answer


def _found(address: CameraAddress, rules: AddressRules, resolve: Resolver) -> CameraAddress | InputError:
    try:
        return recheck(address, rules, resolve)
    except InputError as error:
        return error
    except (HabeasError, OSError, ValueError) as error:
        return InputError(f"its name cannot be asked for: {type(error).__name__}", remedy="check the name server")
