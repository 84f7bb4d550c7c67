"""A module that waits for SIGTERM, as a training does, or ends at once."""

import signal
import sys
import time

if __name__ == "__main__":
    if sys.argv[1:] == ["fail"]:
        print("coterie: no such luck.")
        sys.exit(2)
    if sys.argv[1:] == ["wait"]:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
        print("begun", flush=True)
        time.sleep(120)
