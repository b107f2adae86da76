"""Free TCP ports on loopback."""

import random
import socket

HOST = "127.0.0.1"
# Below the range that operating systems give to outgoing connections (32768 and up on Linux, 49152 elsewhere):
# a port found free there could be taken by any client before its server binds it.
_RANGE = range(15_000, 32_000)
_chooser = random.SystemRandom()


def free_port() -> int:
    """A port that nothing listens on now. Raises OSError when a hundred tries find none."""
    for _ in range(100):
        port = _chooser.choice(_RANGE)
        if is_free(port):
            return port
    raise OSError(f"no free port on {HOST} between {_RANGE.start} and {_RANGE.stop}")


def is_free(port: int) -> bool:
    """Whether a server could bind the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
