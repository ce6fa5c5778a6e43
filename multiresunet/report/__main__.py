"""Say where the page is, and render it first unless it shows what is there: `python -m multiresunet.report`."""

from __future__ import annotations

from multiresunet.errors import UserError, of_the_system, print_any_sign
from multiresunet.paths import PAGE
from multiresunet.report import current


def main() -> None:
    """Do it; one line for an error that a user can fix."""
    print_any_sign()
    try:
        if not current.is_current():
            from multiresunet.report import page  # two seconds

            page.render()
        print(f"Report: {PAGE}")
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except OSError as error:
        if line := of_the_system(error):
            raise SystemExit(f"error: {line}") from None
        raise


if __name__ == "__main__":
    main()
