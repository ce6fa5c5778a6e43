"""What holds for all tests, before anything slow is imported."""

import os
import signal
import threading

from multiresunet import arithmetic

# One thread, here and in all that tests start. Two threads that wait for each other on a busy machine are a hundred
# times slower than one, and pytest-xdist has a process for each core already.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Started by a shell's &, pytest and all that it starts would ignore Ctrl-C, which tests send.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# As the default run's tables; the stages that tests start go by their recipe.
arithmetic.use("portable")
