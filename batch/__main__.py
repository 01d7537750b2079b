"""`python -m batch` is `vidprompter`."""

import sys

from batch.entry import main

if __name__ == "__main__":
    sys.exit(main())
