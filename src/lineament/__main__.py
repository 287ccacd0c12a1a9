"""``python -m lineament`` is ``lineament``."""

import sys

from lineament.cli.main import main

sys.exit(main())
