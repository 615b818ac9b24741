"""What gevent needs: waiting, waking, other threads, and what is shared in a process."""
