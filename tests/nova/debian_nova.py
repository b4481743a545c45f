"""Import it before Nova: without one for this Python the test ends here, with exit code 77, and says why."""

import os
import sys

sys.dont_write_bytecode = True
os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
try:
    import nova  # noqa: F401
except ImportError as error:
    print(f"skipped: {error} (apt-get install --no-install-recommends python3-nova; Debian 12's is for /usr/bin/python3)")
    sys.exit(77)
