"""`python -m multiresunet`."""

from multiresunet.cli import main

if __name__ == "__main__":
    main()
