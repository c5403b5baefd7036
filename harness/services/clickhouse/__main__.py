"""``python -m harness.services.clickhouse``."""

import sys

from harness import marks

if __name__ == "__main__":
    marks.emit("exec")  # before the imports whose time the next marks show
    from harness.services.clickhouse.program import main

    sys.exit(main())
