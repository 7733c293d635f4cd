"""The text for Prometheus as a dictionary; what is said to be in it, and asked of it."""
import json
import re

DASHBOARD = "conf/grafana-dashboard.json"

SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
DEFINITION = re.compile(r'METRIC\(\w+, "(\w+)", (\w+), "([\w,]*)",')


def unescape(text):
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def parse(lines):
    """-> {(name, label=value, ...): number}; a sample that is there twice is an error"""
    samples = {}
    for line in lines:
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = (name, *(f"{label}={unescape(text)}" for label, text in LABEL.findall(labels or "")))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(value)
    return samples


def defined():
    """-> {name: (type, [label, ...])} as metrics.def says"""
    with open("daemon/metrics/metrics.def", encoding="utf-8") as file:
        return {f"slotd_{name}": (kind.lower(), labels.split(",") if labels else [])
                for name, kind, labels in DEFINITION.findall(file.read())}


def family(name):
    """That of a sample: without what a histogram puts behind it."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if base in defined() else name


def dashboard():
    with open(DASHBOARD, encoding="utf-8") as file:
        return json.load(file)


def queries():
    """Of all panels: [(title, expression)]"""
    return [(panel["title"], target["expr"]) for panel in dashboard()["panels"]
            for target in panel.get("targets", [])]
