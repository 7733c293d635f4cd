"""client/python/slotd.py for tests, beside the harness, which has its name:

    from pyclient import slotd as py
"""
import importlib.util
import os
import sys

PATH = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../client/python/slotd.py"))

_spec = importlib.util.spec_from_file_location("slotd_client", PATH)
slotd = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slotd)
