"""What Streamlit runs: `make panel`, or `python -m streamlit run web/panel/app.py -- --runs runs`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:  # `streamlit run` knows this file's folder only
    sys.path.insert(0, ROOT)


def _main() -> None:
    from web.panel.page import main

    main(sys.argv[1:])


_main()
