"""Clients of other users, for tests that run as root.

    @needs_root
    class Test(...):
        with user(slotd, 2001, groups=[3001]) as client:
            client.ask(...)
"""
import os
import unittest

needs_root = unittest.skipUnless(os.geteuid() == 0, "other users' clients take root")

CONFIG = "[daemon]\nsocket_mode = 0666\n"


def user(slotd, uid, gid=None, groups=()):
    """A connection of that user's, who need not exist, to a Daemon with CONFIG.  The kernel keeps
    whom a connection is of, so this process need be that one only for a moment."""
    os.chmod(slotd.dir, 0o755)
    were = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(uid if gid is None else gid)
    os.seteuid(uid)
    try:
        return slotd.client()
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(were)
