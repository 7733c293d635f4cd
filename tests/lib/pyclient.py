"""client/python/slotd.py for tests, beside the harness, which has its name:

    from pyclient import slotd as py
"""
import contextlib
import importlib.util
import os
import sys

PATH = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../client/python/slotd.py"))

_spec = importlib.util.spec_from_file_location("slotd_client", PATH)
slotd = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slotd)

ANY = 1000000                           # a limit that lets everybody in


def asked(connection, group, limit, wait):
    """An acquire that slotd has read, and not answered unless a slot was free.
    -> a future of its Hold"""
    request = connection._acquire(group, limit, wait)
    settle(connection)
    return request.future


def settle(connection, holds=()):
    """Returns when slotd has answered a question that came behind all else, and whether the holds
    go on, which takes longer where Redis is asked."""
    while True:
        with contextlib.suppress(slotd.SlotLost):       # of its proof, on a busy machine
            connection.acquire("asked", ANY, slotd.FOREVER).release()
        if all(hold.lost or hold._is_here for hold in holds):
            return
