"""`python -m medprefkit` is the command line."""

from medprefkit.cli.app import main

if __name__ == "__main__":
    main()
