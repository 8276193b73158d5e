"""`python -m tests.bench [NAME ...] [--json]`: run benchmarks, print a table or one JSON object a line.

The exit status is 1 when a goal is missed, 2 when a name is unknown.
"""

import argparse
import dataclasses
import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path

import tests.bench
from tests import servers
from tests.bench.registry import BENCHMARKS, Result, measure


def row(result: Result) -> str:
    floor = "-" if result.floor is None else f"{result.floor:.4g}"
    ratio = "-" if result.ratio is None else f"{result.ratio:.3g}"
    held = "holds" if result.holds else "MISSED"
    figures = f"{result.measured:>10.4g} {floor:>10} {result.unit:<5} {ratio:>8} {result.goal:>8.4g}"
    return f"{result.name:<28} {figures}  {held}"


def main(arguments: list[str]) -> int:
    """Run what is named, or everything."""
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Benchmarks, each beside its floor and its goal."
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args(arguments)

    # Benchmarks speak to the models, so Django comes first; every other module of this package registers its own.
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    importlib.import_module("django").setup()
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if not module.name.startswith("__"):
            importlib.import_module(f"tests.bench.{module.name}")

    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        print(f"Unknown: {', '.join(unknown)}. There are: {', '.join(sorted(BENCHMARKS))}.", file=sys.stderr)
        return 2
    held = True
    if not options.json:
        print(f"{'name':<28} {'measured':>10} {'floor':>10} {'unit':<5} {'ratio':>8} {'goal':>8}")
    try:
        for name in options.names or sorted(BENCHMARKS):
            result = measure(BENCHMARKS[name])
            held = held and result.holds
            print(json.dumps(dataclasses.asdict(result)) if options.json else row(result), flush=True)
    finally:
        servers.stop_postgres(Path(os.environ["COUNTERSIGN_TEST_RUN"]))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
