"""`make bench`: IPPO beside the arithmetic bound and beside JaxMARL, and MATRPO's update."""

from benchmarks import ippo, jaxmarl, matrpo


def main() -> None:
    """Measure and print, one after the other."""
    ippo.main()
    jaxmarl.main()
    matrpo.main()


if __name__ == "__main__":
    main()
