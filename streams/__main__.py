"""`python -m streams` is `liqmon`."""

from streams.cli import main

if __name__ == "__main__":
    main()
