"""`python -m portal.dss.sandbox`: the sandbox without Django."""

import argparse

from portal.dss.sandbox.serve import add_arguments, serve


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="sandbox", description="A sandbox DSS: design, deployer, qa and prod nodes."
    )
    add_arguments(parser)
    serve(parser.parse_args())


if __name__ == "__main__":
    main()
