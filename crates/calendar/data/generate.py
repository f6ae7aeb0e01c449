"""Writes holidays.csv: public holidays by country, 2020 to 2035.

The list is not ours. It comes from the PyPI package `holidays` (https://pypi.org/project/holidays/,
licence MIT, see LICENSE-holidays), version 0.109. Only nationwide public
holidays are taken, with the day they are observed on; holidays of single states, cantons and
regions are left out.

To write the file again, in this folder:

    python3 -m venv /tmp/holidays-venv
    /tmp/holidays-venv/bin/pip install holidays==0.109
    /tmp/holidays-venv/bin/python generate.py
"""

import csv
from pathlib import Path

import holidays

PINNED_VERSION = "0.109"
FIRST_YEAR, LAST_YEAR = 2020, 2035
COUNTRIES = (
    "AT AU BE BR CA CH CZ DE DK ES FI FR GB IE IN IT JP NL NO NZ PL PT SE US ZA"
).split()


def holidays_of(country, years):
    """The country's holidays with English names where the package has them."""
    for language in ("en_US", "en_GB", None):
        try:
            return holidays.country_holidays(country, years=years, language=language)
        except (NotImplementedError, ValueError):
            continue
    raise SystemExit(f"no holidays for {country}")


def main():
    if holidays.__version__ != PINNED_VERSION:
        raise SystemExit(f"holidays {PINNED_VERSION} is pinned, found {holidays.__version__}")
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    target = Path(__file__).with_name("holidays.csv")
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("country", "date", "name"))
        for country in COUNTRIES:
            for date, name in sorted(holidays_of(country, years).items()):
                if FIRST_YEAR <= date.year <= LAST_YEAR:
                    writer.writerow((country, date.isoformat(), name))


if __name__ == "__main__":
    main()
