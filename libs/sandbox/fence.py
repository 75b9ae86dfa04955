"""A second fence round a worker, for the day when somebody gets out of the interpreter."""

import sys

ADDRESS_SPACE_BYTES = 512 << 20


def put_round(pid: int) -> None:
    """From now on the process opens no file or socket, writes no file and starts no process.

    It keeps the pipes that it has. Its environment is empty, which is the pool's doing. Only Linux
    can do this from outside; elsewhere the interpreter's own fence is the only one.
    """
    if sys.platform != "linux":
        return
    import resource  # there is none on every platform

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, 0))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    resource.prlimit(pid, resource.RLIMIT_NPROC, (0, 0))
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    resource.prlimit(pid, resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
