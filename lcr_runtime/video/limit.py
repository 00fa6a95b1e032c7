"""A limit on the time that a call into foreign code may take."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Call a function in a thread of its own.

    A call that hangs cannot be ended: its thread goes on until the program ends, but
    the program goes on too.

    Raises:
        TimeoutError: It takes longer.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="decoder", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"it gave no frame for {seconds:g} s")
    return results[0]
