"""`python -m cnndsl`."""

from __future__ import annotations

from cnndsl.cli.main import main

raise SystemExit(main())
